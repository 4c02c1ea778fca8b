"""Lowering: a visible table of the layers and losses that the compiled plan understands.

`lower` rewrites a network of these into one `Plan`, numbers that a single compiled function runs
through without coming back to Python between layers. A network with any other layer (a user's own)
has no plan and runs layer by layer; the results are equal up to rounding, which tests check.
"""

from __future__ import annotations


class Plan:
    """Placeholder until the compiled kernel is in."""


def lower(steps, loss, layout):
    """Return the plan of a network, or None."""
    return None
