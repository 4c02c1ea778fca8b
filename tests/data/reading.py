"""A whole file as one typed table, as datasets read it piece by piece."""

from __future__ import annotations

import pyarrow as pa

from backpass.data.cells import MISSING_VALUES, Tally
from backpass.data.sources import Reading, Source, find_files


def read_table(path, missing_values=MISSING_VALUES, text=(), drop=(), kinds=None):
    source = Source(find_files(path), Reading(tuple(missing_values)))
    wanted = [name for name in (*(kinds or source.names), *text) if name not in drop]
    wanted = list(dict.fromkeys(wanted))
    whole = pa.concat_tables([chunk.table for chunk in source.chunks(wanted)])
    read = {name: "text" if name in text else (kinds or {}).get(name) for name in wanted}
    for name in wanted:
        if read[name] is None and source.judged:
            tally = Tally()
            tally.add(whole[name])
            read[name] = tally.verdict(name, missing_values)
    return source.typed(whole, read)
