"""An ONNX graph as it grows: every value gets a name of its own, every node one output.

It is apart from the rules because it knows ONNX and no model, and they know models.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

# 18 and 3 are old enough for runtimes of 2023, and have all that is needed here in float64.
OPSETS = {"": 18, "ai.onnx.ml": 3}
IR_VERSION = 9
ROWS = "rows"  # the name of the number of rows, which is left open


class Graph:
    """Inputs, constants and nodes; each method that adds one returns the name of its value."""

    def __init__(self) -> None:
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._taken: set[str] = set()

    def input(self, name: str, dtype: str, width: int, says: str) -> str:
        """Add an input (rows, width) under its own name. says: what to hand in, for readers."""
        self.inputs.append(_value(name, dtype, (ROWS, width), says))
        self._taken.add(name)
        return name

    def output(self, value: str, name: str, dtype: Any, shape: tuple, says: str) -> None:
        """Declare a value an output, called `name`, with `_` behind where an input is called so."""
        name = self._fresh(name)
        self._add("Identity", (value,), name, "", {})
        self.outputs.append(_value(name, dtype, shape, says))

    def constant(self, values: ArrayLike) -> str:
        """Add an array; texts are an array of type object."""
        from onnx import TensorProto, helper, numpy_helper

        array, name = np.asarray(values), self._fresh("constant")
        if array.dtype.kind in "UO":
            words: Any = [str(word).encode() for word in array.ravel().tolist()]
            made = helper.make_tensor(name, TensorProto.STRING, array.shape, words)
        else:
            made = numpy_helper.from_array(np.ascontiguousarray(array), name)
        self.constants.append(made)
        return name

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node of an operator; its value is named after it."""
        name = self._fresh(operator.lower())
        self._add(operator, inputs, name, domain, attributes)
        return name

    def beside(self, *values: str) -> str:
        """Set matrices side by side."""
        return values[0] if len(values) == 1 else self.add("Concat", *values, axis=1)

    def model(self, name: str, says: str) -> Any:
        """Return the graph as a model, without metadata."""
        from onnx import helper

        graph = helper.make_graph(
            self.nodes, name, self.inputs, self.outputs, self.constants, doc_string=says
        )
        opsets = [helper.make_opsetid(domain, number) for domain, number in OPSETS.items()]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)

    def _add(
        self, operator: str, inputs: tuple[str, ...], output: str, domain: str, attributes: dict
    ) -> None:
        from onnx import helper

        node = helper.make_node(
            operator, inputs, [output], name=output, domain=domain, **attributes
        )
        self.nodes.append(node)

    def _fresh(self, base: str) -> str:
        name, count = base, 1
        while name in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name)
        return name


def _value(name: str, dtype: Any, shape: tuple, says: str) -> Any:
    from onnx import TensorProto, helper

    kind = np.dtype(dtype)
    element = TensorProto.STRING if kind.kind in "UO" else helper.np_dtype_to_tensor_dtype(kind)
    return helper.make_tensor_value_info(name, element, shape, says)
