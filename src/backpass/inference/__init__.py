"""Maximum-likelihood inference: errors, tests, intervals, and where estimates do not exist.

Everything here is made of sums over rows of what backpropagation gives: δ, and the curvature. It
knows an objective and an optimum, no estimator.
"""

from backpass.inference.aliasing import CollinearityWarning
from backpass.inference.results import Results
from backpass.inference.separation import SeparationWarning

__all__ = ["CollinearityWarning", "Results", "SeparationWarning"]
