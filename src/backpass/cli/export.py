"""`backpass export`: a saved model as a file that other programs run."""

from __future__ import annotations

from pathlib import Path

from backpass.cli.terminal import refuse_bad_place, results
from backpass.cli.words import counted
from backpass.export import to_onnx
from backpass.modelfile import ModelFileError, load


def run(path: Path, onnx: Path) -> None:
    """Write the ONNX file, and say what goes in and comes out."""
    refuse_bad_place(onnx)
    model = load(path)
    try:
        made = to_onnx(model, onnx)
    except ImportError:
        raise ValueError(
            "--onnx writes with the package onnx, which is not installed; "
            "pip install 'backpass[onnx]' brings it."
        ) from None
    except ValueError as error:
        raise ModelFileError(f"{path.name}: {error}") from None
    outputs = " and ".join(output.name for output in made.graph.output)
    results().print(f"{onnx}: from {counted(len(made.graph.input), 'input')} to {outputs}.")
