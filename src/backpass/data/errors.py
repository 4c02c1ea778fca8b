"""What is wrong with data, and where: one error and one warning for every source.

A remedy may be a setting, `drop` say, which is typed one way in Python and another on the command
line. So an error carries its settings by name, and whoever shows it puts them into words.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Setting:
    """A setting that would help. does: what, as an order; name: what `open_dataset` calls it."""

    does: str
    name: str
    value: str | tuple[str, ...]


def leave_out(column: str) -> Setting:
    """Leave a column out."""
    return Setting("leave the column out", "drop", (column,))


def declare(column: str) -> Setting:
    """Take a column for a category, whatever it holds."""
    return Setting("declare it a category", "categorical", (column,))


Remedy = str | Setting
Spelling = Callable[[Setting], str | None]


def in_python(setting: Setting) -> str:
    """Spell a setting as an argument; `missing` is the estimators', the others read files."""
    value = list(setting.value) if isinstance(setting.value, tuple) else setting.value
    place = "" if setting.name == "missing" else " in open_dataset"
    return f"{setting.name}={value!r}{place}"


class DataError(ValueError):
    """Data that cannot be used as asked: what came, what to do, and where as far as it is known.

    record counts data rows from 1, the header not counted; None where the fault has no one place.
    remedies: what would help, any one of them; `sentence` spells the settings among them.
    """

    def __init__(
        self,
        what: str,
        *,
        file: str | os.PathLike[str] | None = None,
        record: int | None = None,
        column: str | None = None,
        remedies: Sequence[Remedy] = (),
    ) -> None:
        self.what, self.file, self.record, self.column = what, file, record, column
        self.remedies = tuple(remedies)
        super().__init__(self.sentence(in_python))

    def sentence(self, spell: Spelling) -> str:
        """Say all of it. spell: gives a setting as its user types it, or None to pass it over."""
        places = [
            Path(self.file).name if self.file is not None else None,
            f"record {self.record:,}" if self.record is not None else None,
            f"column '{self.column}'" if self.column is not None else None,
        ]
        where = ", ".join(place for place in places if place is not None)
        said = f"{where}: {self.what}" if where else self.what
        ways = []
        for remedy in self.remedies:
            if isinstance(remedy, str):
                ways.append(remedy)
            elif spelt := spell(remedy):
                ways.append(f"{remedy.does} ({spelt})")
        help_ = ", or ".join(ways)
        return f"{said} {help_[0].upper()}{help_[1:]}." if help_ else said

    def in_file(self, file: str | os.PathLike[str]) -> DataError:
        """Return the same error with the file named; an error that names one stays as it is."""
        return self if self.file is not None else self._placed(file, self.record)

    def further_on(self, records: int) -> DataError:
        """Return the same error, its record counted from `records` earlier."""
        return self if self.record is None else self._placed(self.file, self.record + records)

    def _placed(self, file: str | os.PathLike[str] | None, record: int | None) -> DataError:
        return _rebuilt(self.what, file, record, self.column, self.remedies)

    def __reduce__(self):
        # Exceptions pickle by args, here the finished sentence; another process needs the parts.
        return (_rebuilt, (self.what, self.file, self.record, self.column, self.remedies))


def _rebuilt(what, file, record, column, remedies):
    return DataError(what, file=file, record=record, column=column, remedies=remedies)


class DataWarning(UserWarning):
    """Data that can be used, but perhaps not as it was meant."""


def listed(names: Iterable[str], limit: int = 8) -> str:
    """Write names as a quoted list, cut after `limit`: 'a', 'b' and 12 more."""
    quoted = [f"'{name}'" for name in names]
    if len(quoted) <= limit:
        return ", ".join(quoted)
    return f"{', '.join(quoted[:limit])} and {len(quoted) - limit} more"
