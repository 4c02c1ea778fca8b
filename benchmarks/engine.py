"""One batch through a network: time of `cost_and_gradient`, beside torch eager and jax.jit.

    python benchmarks/engine.py            measures and writes benchmarks/results/engine.md
    python benchmarks/engine.py --print    measures and prints only

Each setting runs in a process of its own: pinned to one core, where every library has one thread
(1 against 1), and with all cores (all against all). Peers take turns within a round, the best of
many rounds counts. All compute the same cost (a sum) and gradient of the same float32 or float64
data, which is checked before anything is timed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from machine import describe

RESULT = Path(__file__).parent / "results" / "engine.md"
PROBLEMS = [([30, 64, 64, 2], 64), ([784, 128, 10], 128), ([784, 512, 512, 10], 256)]
DTYPES = ["float32", "float64"]
PACKAGES = ["backpass", "numpy", "scipy", "numba", "torch", "jax"]
ROUNDS, SECONDS_A_TURN = 25, 0.03


class Solver(NamedTuple):
    """One library on one problem: what is timed, and the same with its gradient as a flat array."""

    solve: Callable[[], object]
    value: Callable[[], tuple]
    setting: Callable = nullcontext  # entered once around a turn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--print", action="store_true", help="do not write the results file")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps({"machine": describe(PACKAGES), "rows": measure_all()}))
        return
    report = "\n".join(write_report({"one core": spawn(1), "all cores": spawn(None)})) + "\n"
    print(report)
    if not options.print:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(report)


def spawn(cores: int | None) -> dict:
    """Measure everything in a new process on the first so many cores (None: all)."""
    # A kernel forced by the environment would slow our BLAS and not the peers'.
    env = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        env[name] = str(len(allowed))
    done = subprocess.run(
        [sys.executable, __file__, "--child"],
        env=env,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, allowed),
    )
    return json.loads(done.stdout.splitlines()[-1])


def measure_all() -> list[dict]:
    return [measure(sizes, n, dtype) for sizes, n in PROBLEMS for dtype in DTYPES]


def measure(sizes: list[int], n_rows: int, dtype: str) -> dict:
    """Time every library on one problem: {"times": {name: µs}, ...}."""
    import numpy as np

    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, sizes[0])).astype(dtype)
    y = rng.integers(0, sizes[-1], n_rows)
    solvers = ours(sizes, X, y) | torch_eager(sizes, X, y) | jax_jit(sizes, X, y)
    values = {name: solver.value() for name, solver in solvers.items()}
    cost, grad = values["backpass"]
    tolerance = 1e-3 if dtype == "float32" else 1e-9
    for name, (other_cost, other_grad) in values.items():
        assert abs(other_cost - cost) <= tolerance * abs(cost), name
        assert np.abs(other_grad - grad).max() <= tolerance * np.abs(grad).max(), name
    times = dict.fromkeys(solvers, float("inf"))
    for _ in range(ROUNDS):
        for name, solver in solvers.items():
            with solver.setting():
                times[name] = min(times[name], turn(solver.solve))
    return {"sizes": sizes, "n_rows": n_rows, "dtype": dtype, "times": times}


def turn(solve: Callable[[], object]) -> float:
    """Return the mean µs of one call over a short turn."""
    calls, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < SECONDS_A_TURN:
        solve()
        calls += 1
    return passed / calls * 1e6


def ours(sizes: list[int], X, y) -> dict[str, Solver]:
    """backpass as a user calls it; inside the guard, as a fit does; without checks; in NumPy."""
    import backpass as bp
    from backpass.batch import Batch

    layers = our_layers(sizes)

    class Unchecked(bp.Network):
        """The same pass, trusting X, y and θ, and not looking for inf and nan afterwards."""

        def _checked(self, theta, X, y=None, sample_weight=None, values=True):
            return theta, Batch(X, y), self._levels

        def _refuse_nonfinite(self, *_, **__):
            pass

    def solver(kind, setting=nullcontext, **options) -> Solver:
        net = kind(layers, bp.CrossEntropyLoss(), dtype=str(X.dtype), **options)
        theta = net.init(0)

        def cost_and_gradient():
            return net.cost_and_gradient(theta, X, y)

        return Solver(cost_and_gradient, cost_and_gradient, setting)

    return {
        "backpass": solver(bp.Network),
        "backpass in reproducible()": solver(bp.Network, bp.reproducible),
        "backpass unchecked": solver(Unchecked),
        "backpass fused=False": solver(bp.Network, fused=False),
    }


def starting_values(sizes: list[int]) -> dict:
    """Return our θ by PyTorch's names, so that all start from the same numbers."""
    import backpass as bp

    net = bp.Network(our_layers(sizes), bp.CrossEntropyLoss())
    return net.parameters(net.init(0))


def our_layers(sizes: list[int]) -> list:
    import backpass as bp

    layers: list = []
    for n_in, n_out in pairwise(sizes):
        layers += [bp.Linear(n_in, n_out), bp.ReLU()]
    return layers[:-1]


def torch_eager(sizes: list[int], X, y) -> dict[str, Solver]:
    """torch.nn.Sequential, F.cross_entropy and backward(), gradients set to None before."""
    import numpy as np
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    layers: list = []
    for n_in, n_out in pairwise(sizes):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers[:-1]).to(getattr(torch, str(X.dtype)))
    net.load_state_dict({k: torch.tensor(v) for k, v in starting_values(sizes).items()})
    parameters = list(net.parameters())
    rows, labels = torch.tensor(X), torch.tensor(y)

    def cost_and_gradient():
        for parameter in parameters:
            parameter.grad = None
        cost = torch.nn.functional.cross_entropy(net(rows), labels, reduction="sum")
        cost.backward()
        return cost

    def with_flat_gradient():
        cost = cost_and_gradient().item()
        return cost, np.concatenate([p.grad.numpy().ravel() for p in parameters])

    return {"torch eager": Solver(cost_and_gradient, with_flat_gradient)}


def jax_jit(sizes: list[int], X, y) -> dict[str, Solver]:
    """jax.jit(jax.value_and_grad(cost)), arrays on the device, blocked until ready."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    jax.config.update("jax_enable_x64", True)
    named = list(starting_values(sizes).values())
    parameters = [jnp.asarray(value, dtype=X.dtype) for value in named]
    rows, labels = jnp.asarray(X), jnp.asarray(y)

    def cost(parameters, rows, labels):
        z = rows
        for i in range(0, len(parameters), 2):
            z = z @ parameters[i].T + parameters[i + 1]
            if i + 2 < len(parameters):
                z = jax.nn.relu(z)
        logp = jax.nn.log_softmax(z)
        return -jnp.take_along_axis(logp, labels[:, None], axis=1).sum()

    compiled = jax.jit(jax.value_and_grad(cost))

    def cost_and_gradient():
        return jax.block_until_ready(compiled(parameters, rows, labels))

    def with_flat_gradient():
        value, grads = cost_and_gradient()
        return float(value), np.concatenate([np.asarray(g).ravel() for g in grads])

    return {"jax.jit": Solver(cost_and_gradient, with_flat_gradient)}


def write_report(results: dict[str, dict]) -> list[str]:
    """Return the report as Markdown lines."""
    lines = [
        "# One batch through a network: cost and gradient",
        "",
        "Made by `python benchmarks/engine.py` (`make bench-engine`). Best of "
        f"{ROUNDS} interleaved turns, µs a call; in brackets as a multiple of torch eager.",
        "",
        *results["all cores"]["machine"],
    ]
    for cores, measured in results.items():
        rows = measured["rows"]
        names = list(rows[0]["times"])
        lines += ["", f"## {cores}: every library with as many threads as cores", ""]
        lines += ["| network, rows, type | " + " | ".join(names) + " |"]
        lines += ["| --- |" + " ---: |" * len(names)]
        for row in rows:
            torch_time = row["times"]["torch eager"]
            cells = [f"{t:.0f} ({t / torch_time:.2f})" for t in row["times"].values()]
            network = "→".join(map(str, row["sizes"]))
            lines.append(f"| {network}, {row['n_rows']}, {row['dtype']} | {' | '.join(cells)} |")
        lines += ["", "Share of the checks (X, y, θ, weights; inf and nan in z, δ, gradient): "]
        lines[-1] += ", ".join(share_of_checks(row) for row in rows) + "."
    return lines


def share_of_checks(row: dict) -> str:
    with_checks, without = row["times"]["backpass"], row["times"]["backpass unchecked"]
    network = "→".join(map(str, row["sizes"]))
    return f"{network} {row['dtype']} {(with_checks - without) / with_checks:.1%}"


if __name__ == "__main__":
    main()
