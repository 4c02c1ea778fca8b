"""How a cross-validated estimator hands rows' belongings on: to the splitter, to the scorer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn import get_config
from sklearn.metrics import get_scorer
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from backpass.estimators.portions import EXACT, Portion
from backpass.estimators.predictions import known_y


class Routed:
    """Methods of an estimator with `cv` and `scoring`; it is mixed in there only."""

    cv: Any
    scoring: Any

    def score(
        self,
        X: Any,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
    ) -> float:
        """Return the score that `scoring` gives to the predictions for X; larger is better.

        y: labels or counts; None where a formula's left side says what they are.
        """
        params = {} if sample_weight is None else {"sample_weight": sample_weight}
        if _routing():
            params = process_routing(self, "score", **params).scorer.score
        added = None if offset is None else np.asarray(offset, dtype=np.float64)
        return Portion(X, known_y(self, X, y), None, added, params).score(self, self._own_scorer())

    def get_metadata_routing(self) -> MetadataRouter:
        """Say what goes where, for scikit-learn's metadata routing."""
        to_split = MethodMapping().add(caller="fit", callee="split")
        to_score = MethodMapping().add(caller="score", callee="score")
        to_score.add(caller="fit", callee="score")
        router = MetadataRouter(owner=self).add_self_request(self)
        router.add(splitter=self.cv, method_mapping=to_split)
        return router.add(scorer=self._scorer(), method_mapping=to_score)

    def _scorer(self) -> Any:
        """Return scikit-learn's scorer."""
        return get_scorer("accuracy" if self.scoring is None else self.scoring)

    def _own_scorer(self) -> Any:
        """Return what `Portion.score` takes."""
        exact = isinstance(self.scoring, str) and self.scoring == EXACT
        return EXACT if exact else self._scorer()

    def _routed(
        self, sample_weight: Any, params: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Return what the splitter is given, and what the scorer is."""
        if _routing():
            routed = process_routing(self, "fit", sample_weight=sample_weight, **params)
            return routed.splitter.split, routed.scorer.score
        strange = sorted(set(params) - {"groups"})
        if strange:
            raise TypeError(
                f"fit got {strange[0]!r}, which it knows only with scikit-learn's metadata routing "
                "(sklearn.set_config(enable_metadata_routing=True)); without it, groups= goes to "
                "the splitter."
            )
        scored = {} if sample_weight is None else {"sample_weight": sample_weight}
        return {name: value for name, value in params.items() if value is not None}, scored


def _routing() -> bool:
    return bool(get_config()["enable_metadata_routing"])
