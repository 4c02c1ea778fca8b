"""The same networks in torch, differentiated by torch's autograd: an oracle that shares no code."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from tests.oracles.cases import Case

import backpass as bp

LAYERS = {
    bp.Sigmoid: lambda layer, z: torch.sigmoid(z),
    bp.Tanh: lambda layer, z: torch.tanh(z),
    bp.ReLU: lambda layer, z: F.relu(z),
    bp.Softmax: lambda layer, z: F.softmax(z, dim=1),
    bp.LogSoftmax: lambda layer, z: F.log_softmax(z, dim=1),
    bp.Dropout: lambda layer, z: F.dropout(z, layer.p, training=False),
    bp.Elementwise: lambda layer, z: F.silu(z),  # the one of tests/strategies.py
}
LOSSES = {
    # Not F.binary_cross_entropy: its second derivative adds 1e-12 to the probabilities, so it is
    # wrong from the ninth digit on where one of them is 1e-3.
    bp.BCELoss: lambda loss, z, y: -(torch.xlogy(y, z) + torch.xlogy(1 - y, 1 - z)).sum(1),
    bp.BCEWithLogitsLoss: lambda loss, z, y: F.binary_cross_entropy_with_logits(
        z, y, reduction="none"
    ).sum(1),
    bp.NLLLoss: lambda loss, z, y: F.nll_loss(z, y, reduction="none"),
    bp.CrossEntropyLoss: lambda loss, z, y: F.cross_entropy(
        z, y, reduction="none", label_smoothing=loss.label_smoothing
    ),
}


def forward(layers, params, z, prefix=""):
    """Run layers on z; params by the names of torch's own state_dict."""
    for place, layer in enumerate(layers):
        key = f"{prefix}{place}"
        if isinstance(layer, bp.Residual):
            z = z + forward(layer.layers, params, z, key + ".")
        elif isinstance(layer, bp.Linear):
            z = F.linear(z, params[key + ".weight"], params.get(key + ".bias"))
        else:
            z = LAYERS[type(layer)](layer, z)
    return z


def losses(case: Case, theta: torch.Tensor) -> torch.Tensor:
    """Return each row's loss at θ, differentiable by θ."""
    params = {
        name: theta[where].reshape(case.net.layout.shapes[name])
        for name, where in case.net.layout.slices.items()
    }
    z = forward(case.net.layers, params, torch.tensor(case.X))
    y = torch.tensor(case.y)
    return LOSSES[type(case.net.loss)](case.net.loss, z, y)


def answers(case: Case) -> dict[str, np.ndarray]:
    """Return what torch says to the same questions as `Case.answers`."""
    theta = torch.tensor(case.theta, requires_grad=True)
    weight, v = torch.tensor(case.weight), torch.tensor(case.v)
    rows = losses(case, theta)
    per_row = [torch.autograd.grad(row, theta, retain_graph=True)[0] for row in rows]
    cost = (weight * rows).sum()
    (gradient,) = torch.autograd.grad(cost, theta, create_graph=True)
    # Linear networks have a second derivative through the loss only; torch must not mind.
    (product,) = torch.autograd.grad(gradient @ v, theta)
    return {
        "cost": cost.detach().numpy(),
        "gradient": gradient.detach().numpy(),
        "gradients_per_row": torch.stack(per_row).numpy(),
        "hessian_vector_product": product.numpy(),
    }
