"""A trained network and its training under the microscope: digits, 64 → 32 → 10.

Writes one offline page: python examples/microscope_digits.py digits.html. Without a file name it
prints what the Recorder saw.
"""

import sys

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import backpass as bp

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0, stratify=y)

recorder = bp.Recorder(X_train[:200], y_train[:200])
model = bp.MLPClassifier(
    (32,), learning_rate_init=0.01, early_stopping=True, random_state=0, callbacks=[recorder]
)
model.fit(X_train, y_train)

for epoch in recorder.epochs[:: max(1, len(recorder.epochs) // 5)]:
    first, last = epoch["gradients"][0], epoch["gradients"][2]
    print(
        f"epoch {epoch['epoch']:3d}: loss {epoch['loss']:.3f}, gradients {first:.3f} (first "
        f"layer) and {last:.3f} (last), {epoch['dead'][1]:.0%} of the rectifiers dead"
    )

if len(sys.argv) > 1:
    trace = model.trace(X_test, y_test)
    worst = int(trace.z[-1].argmax())
    trace.to_html(sys.argv[1], title="Digits 64 → 32 → 10", row=worst, training=recorder)
    print(f"wrote {sys.argv[1]}, opened at the row with the largest loss")
