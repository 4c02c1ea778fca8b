"""The microscope: reads a trace and draws it. The core has no hooks for it."""

from backpass.microscope.latex import latex
from backpass.microscope.page import framed, page, write
from backpass.microscope.recorder import Recorder

__all__ = ["Recorder", "framed", "latex", "page", "write"]
