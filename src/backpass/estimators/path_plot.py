"""Draws a cross-validation: scores against C. Matplotlib is imported when it is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito's
_MARKERS = "osD^vP"


def draw(model: Any, ax: Any = None) -> Any:
    """Draw mean scores with their standard errors against C, a line per l1_ratio; return axes."""
    axes = _new_axes() if ax is None else ax
    found = model.cv_results_
    several = len(model.l1_ratios_) > 1
    finite = np.isfinite(model.Cs_)
    C = np.where(finite, model.Cs_, _beyond(model.Cs_[finite]))
    for place, ratio in enumerate(model.l1_ratios_):
        own = slice(place * len(C), (place + 1) * len(C))
        axes.errorbar(
            C,
            found["mean_test_score"][own],
            yerr=None if len(model.scores_) < 2 else found["se_test_score"][own],
            color=_COLOURS[place % len(_COLOURS)],
            marker=_MARKERS[place % len(_MARKERS)],
            markersize=4,
            linewidth=1.2,
            elinewidth=0.8,
            capsize=2,
            label=f"l1_ratio {ratio:g}" if several else "mean ± standard error",
        )
    _mark(axes, model, C)
    axes.set_xscale("log")
    axes.set_xlabel("C, the inverse strength of the penalty" + ("" if finite.all() else "; ∞ last"))
    axes.set_ylabel(f"{_scoring_name(model.scoring)} on rows left out")
    above = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0)}  # where no line runs through it
    axes.legend(frameon=False, fontsize="small", **above)
    return axes


def _mark(axes: Any, model: Any, C: Any) -> None:
    """Mark what the two rules choose; one line where both choose the same."""
    n_Cs = len(C)
    best, simple = model.best_index_, model.best_1se_index_
    both = best == simple
    said = "best, and within one standard error" if both else "best mean score"
    axes.axvline(
        C[best % n_Cs], color="#444444", linestyle="--", linewidth=1, label=_at(model, best, said)
    )
    if not both:
        said = "strongest within one standard error"
        axes.axvline(
            C[simple % n_Cs],
            color="#444444",
            linestyle=":",
            linewidth=1.4,
            label=_at(model, simple, said),
        )


def _at(model: Any, place: int, said: str) -> str:
    C = model.cv_results_["param_C"][place]
    return f"{said}: C = {'∞' if np.isinf(C) else f'{C:.3g}'}"


def _beyond(Cs: Any) -> float:
    """Return where C = ∞ stands on a logarithmic axis: one decade after the last."""
    return 10.0 * float(Cs.max()) if len(Cs) else 1.0


def _scoring_name(scoring: Any) -> str:
    if scoring is None:
        return "accuracy"
    return scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score")


def _new_axes() -> Any:
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError(
            "plot_path draws with matplotlib, which is not installed: pip install "
            "'backpass[report]', or pip install matplotlib."
        ) from None
    return pyplot.subplots(figsize=(6.4, 4.2), layout="constrained")[1]
