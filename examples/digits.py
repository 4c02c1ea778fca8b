"""Handwritten digits, 8×8 pixels: fit a small network, then ask what pulls one decision.

The images ship with scikit-learn. δ at the input of a traced network is the derivative of the row's
loss by each pixel: where it is large, a change of that pixel would change the decision most.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import backpass as bp

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0, stratify=y)

model = bp.MLPClassifier((32,), learning_rate_init=0.01, early_stopping=True, random_state=0)
model.fit(X_train, y_train)
print(f"held-out accuracy: {model.score(X_test, y_test):.3f}")

proba = model.predict_proba(X_test)
unsure = int(proba.max(axis=1).argmin())
best, second = np.argsort(proba[unsure])[:-3:-1]
print(f"the least sure decision: a {y_test[unsure]}, ", end="")
print(f"taken for {best} ({proba[unsure, best]:.2f}) or {second} ({proba[unsure, second]:.2f})")

delta = model.trace(X_test[unsure : unsure + 1], y_test[unsure : unsure + 1]).delta[1]
print("image, and in brackets the pixels whose δ is among the eight largest:")
strongest = np.abs(delta[0]) >= np.sort(np.abs(delta[0]))[-8]
shades = " .:-=+*#%@"
for row in range(8):
    cells = slice(8 * row, 8 * row + 8)
    shown = [shades[int(9 * value)] for value in X_test[unsure, cells]]
    marks = strongest[cells]
    print("  " + "".join(f"[{s}]" if m else f" {s} " for s, m in zip(shown, marks, strict=True)))
