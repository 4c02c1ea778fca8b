"""backpass: classifiers trained by backpropagation that you can trust and can see into.

Names are imported on first use, so that `import backpass` stays light: layers and networks need
NumPy, estimators bring scikit-learn, compiled kernels bring Numba.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "backpass.layers": (
        "Dropout Elementwise Layer Linear LogSoftmax ReLU Residual Sigmoid Softmax Tanh"
    ),
    "backpass.losses": "BCELoss BCEWithLogitsLoss CrossEntropyLoss Loss NLLLoss",
    "backpass.network": "Network",
    "backpass.runner": "reproducible",
    "backpass.check": "DerivativeError check_layer check_network",
    "backpass.estimators": "LogisticRegression LogisticRegressionCV MLPClassifier",
    "backpass.inference": "CollinearityWarning SeparationWarning",
    "backpass.microscope": "Recorder",
    "backpass.data.dataset": "ingest open_dataset",
    "backpass.data.errors": "DataError DataWarning",
    "backpass.modelfile": "ModelFileError load save",
    "backpass.export": "to_onnx",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}
__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    """Import a public name from its home when it is first asked for."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'backpass' has no attribute '{name}'")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names: what else is imported here, and submodules, are nobody's to type."""
    return sorted(["__version__", *__all__])


if TYPE_CHECKING:  # for type checkers and editors, which do not run __getattr__
    from backpass.check import DerivativeError, check_layer, check_network
    from backpass.data.dataset import ingest, open_dataset
    from backpass.data.errors import DataError, DataWarning
    from backpass.estimators import LogisticRegression, LogisticRegressionCV, MLPClassifier
    from backpass.export import to_onnx
    from backpass.inference import CollinearityWarning, SeparationWarning
    from backpass.layers import (
        Dropout,
        Elementwise,
        Layer,
        Linear,
        LogSoftmax,
        ReLU,
        Residual,
        Sigmoid,
        Softmax,
        Tanh,
    )
    from backpass.losses import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, Loss, NLLLoss
    from backpass.microscope import Recorder
    from backpass.modelfile import ModelFileError, load, save
    from backpass.network import Network
    from backpass.runner import reproducible
