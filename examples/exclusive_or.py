"""Exclusive or: the smallest problem that needs a hidden layer, with every part in the open.

A network is a function of θ, a flat vector; `cost_and_gradient` is what SciPy's minimisers take.
"""

import numpy as np
from scipy.optimize import minimize

import backpass as bp

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
y = np.array([0, 1, 1, 0])

net = bp.Network(
    [bp.Linear(2, 4), bp.Tanh(), bp.Linear(4, 1), bp.Sigmoid()],
    loss=bp.BCELoss(),
)
bp.check_network(net, X, y)  # every derivative against differences of the cost

start = net.init(seed=0)
fit = minimize(net.cost_and_gradient, start, args=(X, y), jac=True, method="L-BFGS-B")
print(f"cost: {net.cost(start, X, y):.3f} at the start, {fit.fun:.1e} after {fit.nit} steps")
for row, proba in zip(X.astype(int).tolist(), net.forward(fit.x, X)[:, 0], strict=True):
    print(f"{row[0]} xor {row[1]}: P(1) = {proba:.3f}")

trace = net.trace(start, X, y)
print("\nAt the start, row 1, from the cost back to the input:")
for L in range(len(trace.delta), 0, -1):
    print(f"  δ{L} = {trace.delta[L][1].round(3).tolist()}")
