"""Values of categories that a fit did not see: counted, and said once for any number of pieces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from backpass.data.errors import DataWarning, listed

EXAMPLES = 3


@dataclass(frozen=True)
class Unseen:
    """How many rows of a column hold such values, and the first few of them."""

    rows: int
    examples: tuple[str, ...]

    def __add__(self, later: Unseen) -> Unseen:
        both = dict.fromkeys((*self.examples, *later.examples))
        return Unseen(self.rows + later.rows, tuple(both)[:EXAMPLES])


class UnseenWarning(DataWarning):
    """Rows hold values that the fit did not see. unseen: by column; n_rows: of all rows."""

    def __init__(self, unseen: Mapping[str, Unseen], n_rows: int) -> None:
        self.unseen, self.n_rows = dict(unseen), n_rows
        super().__init__(unseen_words(unseen, n_rows))

    def __reduce__(self):
        return (UnseenWarning, (self.unseen, self.n_rows))


def unseen_words(unseen: Mapping[str, Unseen], n_rows: int) -> str:
    """Say which columns, how many rows, which values for example, and what becomes of them."""
    parts = [
        f"column '{name}' in {one.rows:,} ({listed(one.examples)}"
        f"{', ...' if len(one.examples) == EXAMPLES and one.rows > EXAMPLES else ''})"
        for name, one in unseen.items()
    ]
    return (
        f"values that were not seen at the fit, in {n_rows:,} rows: {'; '.join(parts)}. They are "
        "treated as missing."
    )


class UnseenTally:
    """Adds up what warnings of piece after piece tell."""

    def __init__(self) -> None:
        self.unseen: dict[str, Unseen] = {}

    def add(self, warning: UnseenWarning) -> None:
        """Take in the next piece."""
        for name, one in warning.unseen.items():
            self.unseen[name] = self.unseen[name] + one if name in self.unseen else one
