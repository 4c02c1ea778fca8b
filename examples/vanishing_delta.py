"""How much of δ reaches the first layer of a deep network?

Each sigmoid multiplies δ by at most 1/4, so it shrinks geometrically on the way back. A rectifier
passes it on or stops it; a way around (Residual) adds it up.
"""

import numpy as np

import backpass as bp

DEPTH, WIDTH, N_ROWS = 20, 16, 64


def deep(*chain):
    """Build DEPTH copies of a chain of layers, ended by a classifier of two classes."""
    return bp.Network([*chain * DEPTH, bp.Linear(WIDTH, 2)], loss=bp.CrossEntropyLoss())


networks = {
    "sigmoid": deep(bp.Linear(WIDTH, WIDTH), bp.Sigmoid()),
    "tanh": deep(bp.Linear(WIDTH, WIDTH), bp.Tanh()),
    "relu": deep(bp.Linear(WIDTH, WIDTH), bp.ReLU()),
    "sigmoid with a way around": deep(bp.Residual(bp.Linear(WIDTH, WIDTH), bp.Sigmoid())),
}

rng = np.random.default_rng(0)
X, y = rng.normal(size=(N_ROWS, WIDTH)), rng.integers(0, 2, N_ROWS)
print(f"{DEPTH} layers of {WIDTH}: size of δ at the input, relative to δ at the last layer")
for name, net in networks.items():
    trace = net.trace(net.init(seed=0), X, y)
    first, last = (np.linalg.norm(trace.delta[L]) for L in (1, len(trace.delta) - 1))
    print(f"  {name:26s} {first / last:.1e}")
