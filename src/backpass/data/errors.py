"""What is wrong with data, and where: one error for every source."""

from __future__ import annotations

import os
from pathlib import Path


class DataError(ValueError):
    """Data that cannot be used as asked: what came, what to do, and where as far as it is known.

    record counts data rows from 1, the header not counted; None where the fault has no one place.
    """

    def __init__(
        self,
        what: str,
        *,
        file: str | os.PathLike[str] | None = None,
        record: int | None = None,
        column: str | None = None,
    ) -> None:
        places = [
            Path(file).name if file is not None else None,
            f"record {record:,}" if record is not None else None,
            f"column '{column}'" if column is not None else None,
        ]
        where = ", ".join(place for place in places if place is not None)
        super().__init__(f"{where}: {what}" if where else what)
        self.what, self.file, self.record, self.column = what, file, record, column

    def in_file(self, file: str | os.PathLike[str]) -> DataError:
        """Return the same error with the file named; an error that names one stays as it is."""
        if self.file is not None:
            return self
        return DataError(self.what, file=file, record=self.record, column=self.column)

    def further_on(self, records: int) -> DataError:
        """Return the same error, its record counted from `records` earlier."""
        if self.record is None:
            return self
        return DataError(
            self.what, file=self.file, record=self.record + records, column=self.column
        )

    def __reduce__(self):
        # Exceptions pickle by args, here the finished sentence; another process needs the parts.
        return (_rebuilt, (self.what, self.file, self.record, self.column))


def _rebuilt(what, file, record, column):
    return DataError(what, file=file, record=record, column=column)


def listed(names, limit: int = 8) -> str:
    """Write names as a quoted list, cut after `limit`: 'a', 'b' and 12 more."""
    names = [f"'{name}'" for name in names]
    if len(names) <= limit:
        return ", ".join(names)
    return f"{', '.join(names[:limit])} and {len(names) - limit} more"
