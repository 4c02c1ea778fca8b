"""A fitted model in formats that other programs run."""

from backpass.export.onnx import to_onnx

__all__ = ["to_onnx"]
