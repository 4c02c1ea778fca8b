"""The note's own network under the microscope: Figure 1 on two features, at its optimum.

Writes one offline page: python examples/microscope_note.py note.html, then open it in a browser.
Without a file name it only says what the page would hold.
"""

import sys

import numpy as np
from scipy.optimize import minimize
from sklearn.datasets import load_iris

import backpass as bp

iris = load_iris()
rows = iris.target != 0  # two species that overlap, so that the optimum is finite
X, y = iris.data[rows][:, 2:], iris.target[rows] - 1

# Linear → log-softmax → negative log-likelihood: z¹ → LL → z² → LSM → z³ → NLL → z⁴
net = bp.Network([bp.Linear(2, 2), bp.LogSoftmax()], loss=bp.NLLLoss())
start = net.init(seed=0)
fit = minimize(net.cost_and_gradient, start, args=(X, y), jac=True, options={"gtol": 1e-8})

trace = net.trace(fit.x, X, y)
hardest = int(trace.z[-1].argmax())
print(f"cost {trace.cost:.4f} over {len(X)} rows; row {hardest} costs most")
print(trace.paths("0.weight", (0, 0), hardest))
pulls = net.gradients_per_row(fit.x, X, y)[:, 0]
print(f"pulls at this weight: {np.abs(pulls).sum():.3f} in size, {abs(pulls.sum()):.0e} in sum")

if len(sys.argv) > 1:
    trace.to_html(
        sys.argv[1],
        title="Figure 1: LL → LSM → NLL",
        row=hardest,
        feature_names=["petal length", "petal width"],
        class_names=iris.target_names[1:],
    )
    print(f"wrote {sys.argv[1]}")
