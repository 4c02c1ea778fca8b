"""A fit as one offline page: what was fitted on what, how good it is, and what it is made of."""

from backpass.report.page import write_report
from backpass.report.story import Story

__all__ = ["Story", "write_report"]
