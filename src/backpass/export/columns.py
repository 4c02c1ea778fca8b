"""An Encoding in ONNX: one input per raw column, and the matrix that the network takes.

What `Encoding.codes` and `expand` do to a table, operator by operator: gaps filled, numbers
standardised, a column that tells where gaps were, categories as columns of 0 and 1. Where those
refuse a row (a gap or an unseen value that the fit had no place for), NaN stands here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from backpass.data.columns import Category, Number
from backpass.data.text_column import Text
from backpass.encoding import Encoding
from backpass.export.graph import Graph

DOUBLE = np.dtype(np.float64)


def check_columns(encoding: Encoding) -> None:
    """Raise ValueError naming a column of a kind that has no rule here."""
    for column in encoding.columns:
        if type(column) not in (Number, Category):
            raise ValueError(
                f"column '{column.name}' ({column.kind}) has no rule in ONNX, which gets numbers, "
                "booleans and categories; fit a model without it, or predict with backpass."
            )


def declare(graph: Graph, encoding: Encoding, dtype: str) -> dict[str, str]:
    """Add an input (rows, 1) for each column; return their names. dtype: of numbers."""
    given = {}
    for column in encoding.columns:
        assert not isinstance(column, Text)  # check_columns has refused it
        gaps = "missing" if encoding.takes_missing(column) else "missing: probabilities are NaN"
        if isinstance(column, Category):
            kind, says = "str", f"category; a text that is no level, '' for one, is {gaps}"
        elif column.boolean and not column.indicator:
            kind, says = "bool", "true or false; none was missing at the fit"
        else:
            kind = dtype
            says = f"{'0 or 1' if column.boolean else 'number'}; NaN is {gaps}"
        given[column.name] = graph.input(column.name, kind, 1, says)
    return given


def split(graph: Graph, encoding: Encoding, matrix: str) -> dict[str, str]:
    """Cut the columns of an array out, which an encoding knows as x0, x1, ..."""
    return {
        name: graph.add("Gather", matrix, graph.constant(np.array([int(name[1:])])), axis=1)
        for name in encoding.column_names
    }


def encoded(graph: Graph, encoding: Encoding, given: Mapping[str, str]) -> str:
    """Add the encoding of columns given by name; return the matrix, (rows, coef_names)."""
    numbers = [column for column in encoding.columns if isinstance(column, Number)]
    parts: list[str] = []
    places: dict[str, Sequence[int]] = {}
    width = 0
    if numbers:
        parts += _numbers(graph, encoding, numbers, [given[column.name] for column in numbers])
        width = 2 * len(numbers)
        for place, number in enumerate(numbers):
            indicator = place + len(numbers)
            places[number.name] = [place] * number.varies + [indicator] * number.indicator
    for column in encoding.columns:
        if isinstance(column, Category):
            parts.append(_category(graph, encoding, column, given[column.name]))
            places[column.name] = range(width, width + len(column.coef_codes))
            width += len(column.coef_codes)
    order = [place for column in encoding.columns for place in places[column.name]]
    matrix = graph.beside(*parts)
    return graph.add("Gather", matrix, graph.constant(np.array(order)), axis=1)


def as_double(graph: Graph, value: str) -> str:
    """Add a conversion to float64, in which everything is computed."""
    from onnx import TensorProto

    return graph.add("Cast", value, to=TensorProto.DOUBLE)


def _numbers(
    graph: Graph, encoding: Encoding, columns: Sequence[Number], given: Sequence[str]
) -> tuple[str, str]:
    """Return the values, gaps filled, and 1 where a gap was; (rows, len(columns)) each."""
    values = graph.beside(*(as_double(graph, value) for value in given))
    gone = graph.add("IsNaN", values)
    means = [c.mean if encoding.takes_missing(c) else np.nan for c in columns]
    values = graph.add("Where", gone, graph.constant(np.array(means)), values)
    if encoding.standardize:
        centre = [0.0 if c.boolean else c.mean for c in columns]
        scale = [1.0 if c.boolean or not c.varies else c.scale for c in columns]
        values = graph.add("Sub", values, graph.constant(np.array(centre)))
        values = graph.add("Div", values, graph.constant(np.array(scale)))
    return values, as_double(graph, gone)


def _category(graph: Graph, encoding: Encoding, column: Category, given: str) -> str:
    """Return a column of 0 and 1 for each level that has a coefficient, (rows, levels)."""
    code = graph.add(
        "LabelEncoder",
        given,
        domain="ai.onnx.ml",
        keys_strings=list(column.levels),
        values_int64s=list(range(len(column.levels))),
        default_int64=len(column.levels) if column.own_category else -1,
    )
    hot = as_double(graph, graph.add("Equal", code, graph.constant(np.array(column.coef_codes))))
    if encoding.takes_missing(column):
        return hot
    lost = graph.add("Less", code, graph.constant(np.int64(0)))
    return graph.add("Where", lost, graph.constant(DOUBLE.type(np.nan)), hot)
