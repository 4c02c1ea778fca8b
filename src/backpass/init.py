"""Starting values of θ: the rule by which a network's parameters are drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backpass.layers import Dropout, Elementwise, Layer, ReLU
from backpass.steps import Step
from backpass.theta import Layout

# Half of a rectifier's inputs come out as 0, so its weights start with twice the variance
# (He et al. 2015). An Elementwise is taken for a smooth relative of ReLU (SiLU, GELU, softplus).
RECTIFIERS: tuple[type[Layer], ...] = (ReLU, Elementwise)


def initial_theta(steps: Sequence[Step], layout: Layout, seed: int) -> NDArray[np.float64]:
    """Draw θ: weights by the activation that follows, everything with fewer than two axes zero.

    Before a rectifier: normal, variance 2 / fan_in (He et al. 2015). Elsewhere: uniform within
    ±sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010). One generator per layer, seeded by
    (seed, place), so a layer added at the end leaves the others' values as they were.
    """
    theta = np.zeros(layout.size)
    views = layout.views(theta)
    for L, step in enumerate(steps):
        if step.layer is None or not step.layer.shapes():
            continue
        rng = np.random.default_rng([seed, L])
        own = step.layer.initial(rng)
        rectified = isinstance(_next_activation(steps, L), RECTIFIERS)
        for name, shape in step.layer.shapes().items():
            view = views[f"{step.key}.{name}"]
            if name in own:
                view[...] = own[name]
            elif len(shape) >= 2 and rectified:
                view[...] = rng.normal(0.0, np.sqrt(2.0 / shape[-1]), shape)
            elif len(shape) >= 2:
                bound = np.sqrt(6.0 / (shape[-1] + shape[0]))
                view[...] = rng.uniform(-bound, bound, shape)
    return theta


def _next_activation(steps: Sequence[Step], L: int) -> Layer | None:
    for step in steps[L + 1 :]:
        if step.layer is not None and not isinstance(step.layer, Dropout):
            return step.layer
    return None
