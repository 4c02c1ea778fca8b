"""R's formulas: text to a design, learned once from a table, then the same at predict and in files.

formulaic reads the grammar of terms. Functions inside terms are not evaluated as Python: they are
taken apart and only what `expression.py` lists is understood, so that a formula, also one in a
file from anybody, cannot run code.
"""

from backpass.formula.design import Design
from backpass.formula.parse import Formula, parse_formula

__all__ = ["Design", "Formula", "parse_formula"]
