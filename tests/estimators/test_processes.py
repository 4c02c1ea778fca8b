"""Fits beside other fits: after a fork, from several threads, and ended by Ctrl-C."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

import backpass as bp


def problem(n_rows=40_000, n_columns=8, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_columns))
    return X, (X[:, 0] + rng.logistic(size=n_rows) > 0.0).astype(int)


def test_fits_from_several_threads_have_the_bits_of_fits_alone():
    problems = [problem(seed=seed) for seed in range(4)]
    alone = [bp.LogisticRegression().fit(X, y).theta_ for X, y in problems]
    together = [None] * 4

    def fit(i):
        together[i] = bp.LogisticRegression().fit(*problems[i]).theta_

    threads = [threading.Thread(target=fit, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_fit_and_predict_work_after_a_fork():
    X, y = problem()
    model = bp.LogisticRegression(n_jobs=2).fit(X, y)  # the pool has been used before the fork
    expected, proba = model.theta_, model.predict_proba(X[:5])
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover: coverage does not follow
        try:
            same = np.array_equal(model.predict_proba(X[:5]), proba)
            again = bp.LogisticRegression(n_jobs=2).fit(X, y).theta_
            os.write(write, b"ok" if same and np.array_equal(again, expected) else b"differs")
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        assert answer.read() == "ok"
    os.waitpid(child, 0)


def test_ctrl_c_ends_a_fit_and_leaves_nothing_behind():
    script = textwrap.dedent("""
        import threading
        import numpy as np
        import backpass as bp
        from threadpoolctl import threadpool_info
        import scipy.linalg

        def blas():
            return sorted((i["filepath"], i["num_threads"]) for i in threadpool_info())

        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(400_000, 40)), rng.integers(0, 6, 400_000)
        bp.LogisticRegression().fit(X[:2000], y[:2000])
        before, threads = blas(), threading.active_count()
        try:
            print("ready", flush=True)
            while True:
                bp.LogisticRegression(tol=1e-13, n_jobs=2).fit(X, y)
        except KeyboardInterrupt:
            print("settings", blas() == before, "threads", threading.active_count() - threads)
    """)
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", script], stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.7)  # into a fit
        child.send_signal(signal.SIGINT)
        out, _ = child.communicate(timeout=20)
    finally:
        child.kill()
    assert out == "settings True threads 0\n"
