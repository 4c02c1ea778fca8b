"""The solvers, ours first, each in a file of its own; a library is imported when it first fits."""

from . import cyanure, glum, scikit_learn, sklearnex, statsmodels, torch_lbfgs
from .backpass import Backpass
from .base import Shape, Solver

SOLVERS: list[Solver] = [
    Backpass(),
    torch_lbfgs.SOLVER,
    sklearnex.SOLVER,
    *scikit_learn.SOLVERS,
    glum.SOLVER,
    cyanure.SOLVER,
    statsmodels.SOLVER,
]

__all__ = ["SOLVERS", "Backpass", "Shape", "Solver"]
