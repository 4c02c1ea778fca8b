"""Is every derivative that of its own forward map? For users' own layers, and for our tests.

`layers.py` and `networks.py` say what is compared; `differences.py` differentiates numerically
and knows its own error, `verdict.py` decides and words the report, `contract.py` calls a layer's
methods and sees that they overwrite their outputs and leave their inputs alone.
"""

from backpass.check.layers import check_layer
from backpass.check.networks import check_network
from backpass.check.verdict import DerivativeError

__all__ = ["DerivativeError", "check_layer", "check_network"]
