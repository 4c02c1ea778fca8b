"""A fit from a block store: an encoding learned from it, and its rows in blocks, encoded as read.

Every number is the one that the same table in memory gives, bit for bit: moments are taken on a
fixed grid, and a block is encoded by the same code when it is read. What stays in memory is a
block per thread and a column's levels.
"""

from backpass.streaming.copies import hold_out
from backpass.streaming.labels import RowValues, classes_of, label_numbers
from backpass.streaming.learning import StreamedFit, prepare
from backpass.streaming.pieces import as_cells
from backpass.streaming.rows import StoredEncoded, unseen_values

__all__ = [
    "RowValues",
    "StoredEncoded",
    "StreamedFit",
    "as_cells",
    "classes_of",
    "hold_out",
    "label_numbers",
    "prepare",
    "unseen_values",
]
