"""Mixed columns to numbers: learned once from a table, then the same at fit, predict, in files.

`Encoding` is the one schema behind everything that speaks of columns by name. `learning.py` says
which columns a table teaches, `codes.py` holds encoded rows while categories are still integers,
and `refusals.py` words what a table is refused for.
"""

from backpass.data.table import is_table
from backpass.encoding.codes import Codes, side_by_side
from backpass.encoding.learning import Learnable
from backpass.encoding.schema import Encoding

__all__ = ["Codes", "Encoding", "Learnable", "is_table", "side_by_side"]
