"""Threads and BLAS: equal bits for any number of threads, and settings that come back."""

from __future__ import annotations

import threading
import time
import weakref

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import backpass as bp
from backpass.runner import Pool, current_runner, serial


def blas_threads():
    """List the thread counts of all BLAS libraries in the process, in a stable order."""
    import scipy.linalg  # noqa: F401  # so that SciPy's own BLAS is there from the start

    return [
        (info["filepath"], info["num_threads"])
        for info in sorted(threadpool_info(), key=lambda info: info["filepath"])
        if info["user_api"] == "blas"
    ]


def problem(n_rows=5000, dtype="float64", fused=True):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n_rows, 20)), rng.integers(0, 3, n_rows)
    net = bp.Network(
        [
            bp.Linear(20, 150), bp.Residual(bp.Tanh()), bp.Linear(150, 150), bp.ReLU(),
            bp.Linear(150, 3),
        ],
        bp.CrossEntropyLoss(), dtype, fused,
    )  # fmt: skip
    return net, net.init(0), X, y


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("fused", [True, False])
def test_bits_do_not_depend_on_the_number_of_threads(dtype, fused):
    net, theta, X, y = problem(dtype=dtype, fused=fused)
    v, weight = np.random.default_rng(1).normal(size=theta.shape), np.linspace(0.5, 2.0, len(X))
    results = []
    for n_jobs in (1, 2, 2, 3):
        with bp.reproducible(n_jobs=n_jobs):
            results.append(
                [
                    *net.cost_and_gradient(theta, X, y, weight),
                    net.cost(theta, X, y),
                    net.hessian_vector_product(theta, X[:1500], y[:1500], v),
                    net.forward(theta, X),
                    net.gradients_per_row(theta, X[:300], y[:300]),
                ]
            )
    for others in results[1:]:
        for one, other in zip(results[0], others, strict=True):
            assert np.asarray(one).tobytes() == np.asarray(other).tobytes()


@pytest.mark.parametrize("form", ["fortran", "strided", "misaligned", "read-only", "list"])
def test_bits_do_not_depend_on_the_form_of_x_in_memory(form):
    net, theta, X, y = problem(n_rows=700)
    forms = {
        "fortran": lambda: np.asfortranarray(X),
        "strided": lambda: np.repeat(X, 2, axis=0)[::2],
        "misaligned": lambda: misaligned(X),
        "read-only": lambda: np.frombuffer(X.tobytes()).reshape(X.shape),
        "list": lambda: X.tolist(),
    }
    with bp.reproducible(n_jobs=2):
        cost, grad = net.cost_and_gradient(theta, X, y)
        same_cost, same_grad = net.cost_and_gradient(theta, forms[form](), y)
    assert cost == same_cost
    assert grad.tobytes() == same_grad.tobytes()


def misaligned(X):
    """Copy X to an address that is no multiple of 8."""
    out = np.ndarray(X.shape, X.dtype, bytearray(X.nbytes + 1), offset=1)
    out[...] = X
    assert not out.flags.aligned
    return out


def test_results_inside_and_outside_agree_to_rounding():
    net, theta, X, y = problem()
    cost, grad = net.cost_and_gradient(theta, X, y)
    with bp.reproducible(n_jobs=2):
        same_cost, same_grad = net.cost_and_gradient(theta, X, y)
    assert same_cost == pytest.approx(cost, rel=1e-13)
    np.testing.assert_allclose(same_grad, grad, rtol=0, atol=1e-12 * np.abs(grad).max())


# ---- the guard ----------------------------------------------------------------------------------


def test_blas_runs_on_one_thread_inside_and_the_setting_comes_back():
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        assert before
        with bp.reproducible(n_jobs=2):
            assert {threads for _, threads in blas_threads()} == {1}
        assert blas_threads() == before


def test_the_setting_comes_back_after_an_exception():
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        with pytest.raises(KeyboardInterrupt), bp.reproducible(n_jobs=2):
            raise KeyboardInterrupt
        assert blas_threads() == before
        net, theta, X, y = problem(n_rows=3000)
        X[2900, 3] = np.nan
        with pytest.raises(ValueError, match="row 2900, column 3"), bp.reproducible(n_jobs=2):
            net.cost_and_gradient(theta, X, y)
        assert blas_threads() == before
    assert current_runner() is None


def test_guards_nest():
    before = blas_threads()
    with bp.reproducible(n_jobs=2):
        outer = current_runner()
        with bp.reproducible(n_jobs=1):
            assert current_runner() is serial
        assert current_runner() is outer
        assert {threads for _, threads in blas_threads()} == {1}
    assert blas_threads() == before


def test_the_first_of_two_threads_to_leave_does_not_lift_the_limit_under_the_second():
    entered, may_leave = threading.Barrier(2), threading.Event()
    seen = []

    def second():
        with bp.reproducible(n_jobs=1):
            entered.wait(10)
            may_leave.wait(10)
            seen.extend(threads for _, threads in blas_threads())

    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        thread = threading.Thread(target=second)
        with bp.reproducible(n_jobs=1):
            thread.start()
            entered.wait(10)
        may_leave.set()
        thread.join(10)
        assert set(seen) == {1}
        assert blas_threads() == before


def test_the_guard_holds_in_any_thread():
    """threadpoolctl 3.8 ignores every thread but the first that set a limit, here this one."""
    seen = []

    def elsewhere():
        with bp.reproducible(n_jobs=1):
            seen.extend(threads for _, threads in blas_threads())

    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join(10)
        assert set(seen) == {1}
        assert blas_threads() == before


def test_a_thread_started_inside_the_guard_gets_the_same_bits():
    net = bp.Network([bp.Linear(30, 64), bp.ReLU(), bp.Linear(64, 3)], loss=bp.CrossEntropyLoss())
    rng = np.random.default_rng(0)
    X, y, theta = rng.normal(size=(5000, 30)), rng.integers(3, size=5000), net.init(0)
    found = []

    def evaluate():
        found.append(net.cost_and_gradient(theta, X, y)[1])

    with bp.reproducible(2):
        evaluate()
        thread = threading.Thread(target=evaluate)
        thread.start()
        thread.join()
    np.testing.assert_array_equal(*found)


def test_a_tape_does_not_keep_the_callers_rows():
    net = bp.Network([bp.Linear(3, 2)], loss=bp.CrossEntropyLoss())
    X = np.ones((4, 3))
    seen = weakref.ref(X)
    net.cost(net.init(0), X, [0, 1, 0, 1])
    del X
    assert seen() is None


def test_n_jobs_that_mean_nothing_are_refused_before_anything_is_changed():
    before = blas_threads()
    with pytest.raises(ValueError, match="n_jobs"), bp.reproducible(n_jobs=0):
        pass
    assert blas_threads() == before


# ---- the pool -----------------------------------------------------------------------------------


def test_a_pool_yields_every_part_once():
    pool = Pool(3)
    try:
        for n_parts in (1, 2, 5, 40):
            assert sorted(pool(lambda i: i * i, n_parts)) == [(i, i * i) for i in range(n_parts)]
    finally:
        pool.close()


def test_an_error_in_a_part_comes_out_and_the_pool_goes_on():
    pool = Pool(2)

    def evaluate(i):
        if i == 3:
            raise ValueError("part 3")
        return i

    try:
        with pytest.raises(ValueError, match="part 3"):
            list(pool(evaluate, 10))
        assert len(list(pool(lambda i: i, 10))) == 10
    finally:
        pool.close()


def test_few_results_wait_for_a_slow_caller():
    """Each may hold a curvature of many megabytes."""
    pool, begun = Pool(3), []
    try:
        for taken, _ in enumerate(pool(begun.append, 60), start=1):
            time.sleep(0.002)
            # those that wait for the caller, one under way in every other thread, and its own
            assert len(begun) - taken <= 2 * 3 + 2 + 1
    finally:
        pool.close()
    assert sorted(begun) == list(range(60))


def test_a_caller_that_leaves_early_leaves_no_thread_waiting():
    pool = Pool(3)
    parts = pool(lambda i: i, 100)
    next(parts)
    parts.close()
    pool.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("backpass")]


def test_threads_end_with_the_guard():
    with bp.reproducible(n_jobs=2):
        net, theta, X, y = problem(n_rows=2000)
        net.cost_and_gradient(theta, X, y)
    assert not [t for t in threading.enumerate() if t.name.startswith("backpass")]
