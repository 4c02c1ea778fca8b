"""Multi-layer perceptrons, or any network, as a classifier in scikit-learn's dress."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, column_or_1d

from backpass.estimators.base import NetworkClassifier
from backpass.estimators.callbacks import Callback, EpochState
from backpass.estimators.inputs import (
    check_lengths,
    is_table,
    read_for_fit,
    read_for_predict,
    row_weights,
)
from backpass.estimators.mlp_parameters import check_parameters, hidden_sizes
from backpass.estimators.outputs import (
    BINARY,
    log_distribution,
    log_probabilities,
    logit_network,
)
from backpass.estimators.stack import own_network, stack, stack_parameters
from backpass.network import Network
from backpass.objective import BatchObjective, Objective
from backpass.penalties import ElasticNet, weights_only
from backpass.runner import reproducible
from backpass.solvers import lbfgs
from backpass.solvers.adam import Adam
from backpass.solvers.minibatch import Plan, Rule, Run, State, train
from backpass.solvers.sgd import SGD


@dataclass(frozen=True)
class Rows:
    """Rows as the network takes them. weight: (n_rows,) float64, or None where all are 1."""

    X: NDArray
    y: NDArray
    weight: NDArray[np.float64] | None


class MLPClassifier(NetworkClassifier):
    """Multi-layer perceptron, trained by backpropagation on minibatches.

    Parameters
    ----------
    hidden_layer_sizes : units of each hidden layer; () for none.
    activation : "relu", "tanh", "logistic" or "identity".
    solver : "adam", "sgd" or "lbfgs" (all rows at every step).
    alpha : strength of the L2 penalty on weights; a batch's objective is
        ∑ w loss / ∑ w + alpha / (2 ∑ w) · ‖W‖², as in scikit-learn.
    batch_size : rows per step; "auto" is min(200, n_rows).
    learning_rate : "constant", "invscaling" or "adaptive"; for sgd.
    learning_rate_init, power_t, momentum, nesterovs_momentum, beta_1, beta_2, epsilon : as in
        scikit-learn.
    max_iter : most epochs, or most steps of lbfgs.
    shuffle : a new order of rows in every epoch.
    early_stopping : set validation_fraction of the rows aside, stop by the accuracy on them, and
        keep the best θ.
    n_iter_no_change, tol : training ends when the mean loss (or the validation score) has not
        improved by tol for more than n_iter_no_change epochs.
    warm_start : go on from the last fit's θ.
    class_weight : dict {label: weight}, "balanced" or None.
    dropout : probability with which each hidden unit is left out in training.
    dtype : "float32" or "float64", the type of z and δ; θ is float64.
    random_state : decides starting values, order of rows, dropout masks, and the validation rows.
    verbose : print a line per epoch.
    callbacks : functions of one argument, an `EpochState`, called after every epoch.
    network : a bp.Network, or a function (n_features, n_classes) that returns one, used instead
        of hidden_layer_sizes, activation, dropout and dtype.

    Attributes
    ----------
    classes_, n_features_in_, feature_names_in_, n_iter_, n_layers_, n_outputs_, out_activation_,
    t_, loss_, best_loss_, loss_curve_, validation_scores_, best_validation_score_ : as in
        scikit-learn.
    coefs_, intercepts_ : weights (n_in, n_out) and biases (n_out,) per layer; not for network=.
    network_, theta_ : the network and its parameters, so that the fit can be traced.
    encoding_ : how columns of a table were encoded; None where X was an array.
    """

    _rule_state: State | None

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str = "relu",
        solver: str = "adam",
        alpha: float = 1e-4,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 1e-3,
        power_t: float = 0.5,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        max_iter: int = 200,
        shuffle: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: float = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        class_weight: Mapping[Any, float] | str | None = None,
        dropout: float = 0.0,
        dtype: str = "float32",
        random_state: Any = None,
        verbose: int = 0,
        callbacks: Sequence[Callback] = (),
        network: Network | Callable[[int, int], Network] | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.class_weight = class_weight
        self.dropout = dropout
        self.dtype = dtype
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks
        self.network = network

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> MLPClassifier:
        """Train on X (n_rows, n_features), y (n_rows,) or (n_rows, n_labels) of 0 and 1."""
        check_parameters(self)
        resume = self.warm_start and hasattr(self, "theta_")
        before = self.classes_ if resume else None
        rows = self._read(X, y, sample_weight, first=not resume)
        if before is not None and not np.array_equal(before, self.classes_):
            raise ValueError(
                f"warm_start goes on with the classes of the last fit, {before.tolist()}, but y "
                f"has {self.classes_.tolist()}; use warm_start=False for other classes."
            )
        with reproducible():
            self._prepare(rows, resume)
            if self.solver == "lbfgs":
                self._fit_all_rows(rows)
            else:
                self._fit_batches(rows)
        return self

    @available_if(lambda self: self.solver in ("adam", "sgd"))
    def partial_fit(
        self,
        X: Any,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> MLPClassifier:
        """Train for one epoch on these rows, going on from earlier calls.

        classes: all labels that will ever come; needed in the first call.
        """
        check_parameters(self)
        if self.early_stopping:
            raise ValueError(
                "partial_fit sees rows only once, so early_stopping=True cannot set any aside; "
                "use early_stopping=False."
            )
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all rows at once; give partial_fit a dict."
            )
        first = not hasattr(self, "classes_")
        if first and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if (
            not first
            and classes is not None
            and not np.array_equal(self.classes_, np.unique(classes))
        ):
            raise ValueError(
                f"classes={np.unique(classes).tolist()} is not the same as on the last call to "
                f"partial_fit, {self.classes_.tolist()}."
            )
        rows = self._read(X, y, sample_weight, first, classes, incremental=True)
        with reproducible():
            if first:
                self._prepare(rows, resume=False)
                self._rule_state = None
            self._train(rows, max_epochs=1, score=None)
        return self

    def _read(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        first: bool,
        classes: ArrayLike | None = None,
        incremental: bool = False,
    ) -> Rows:
        """Return rows as arrays; learn columns and classes unless an earlier call did."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__}: requires y to be passed, but the target y is None."
            )
        kept = None
        if first:
            columns = read_for_fit(self, X, "indicator" if is_table(X) else "raise")
            self.encoding_, array, kept = columns.encoding, columns.X, columns.rows
        else:
            array = read_for_predict(self, X)
        check_lengths(array if kept is None else X, y, sample_weight)
        labels, multilabel = _labels(y)
        if kept is not None:
            labels = labels[kept]
            sample_weight = None if sample_weight is None else np.asarray(sample_weight)[kept]
        if first or not incremental:
            self._multilabel = multilabel
            if multilabel:
                self.classes_ = np.arange(labels.shape[1])
            else:
                self.classes_ = np.unique(labels if classes is None else np.asarray(classes))
            if len(self.classes_) < 2 and not multilabel:
                raise ValueError(
                    f"y has one class only, {self.classes_.tolist()}; a classifier needs two "
                    "classes."
                )
        targets = self._targets(labels)
        if multilabel:
            if self.class_weight is not None:
                raise ValueError("class_weight has no meaning for several labels a row; use None.")
            weight = row_weights(sample_weight, None, array, targets, self.classes_)
        else:
            weight = row_weights(sample_weight, self.class_weight, array, targets, self.classes_)
        return Rows(array, targets, weight)

    def _targets(self, y: NDArray) -> NDArray:
        if not self._multilabel:
            return super()._targets(y)
        if y.ndim != 2 or y.shape[1] != len(self.classes_):
            raise ValueError(
                f"y has shape {y.shape}; this fit has {len(self.classes_)} labels a row, "
                f"so it takes (n_rows, {len(self.classes_)})."
            )
        return y.astype(np.float64)

    def _prepare(self, rows: Rows, resume: bool) -> None:
        """Build the network and θ unless a fit goes on, and reset what a new fit starts with."""
        if resume:
            return
        self._seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        n_features, n_classes = rows.X.shape[1], len(self.classes_)
        exclusive = not self._multilabel and n_classes > 2
        if self.network is None:
            hidden = hidden_sizes(self.hidden_layer_sizes)
            n_outputs = n_classes if exclusive or self._multilabel else 1
            self.network_ = stack(
                n_features, hidden, n_outputs, exclusive, self.activation, self.dropout, self.dtype
            )
        else:
            self.network_ = own_network(self.network, n_features, n_classes, self._multilabel)
        self.theta_ = self.network_.init(self._seed)
        self.loss_curve_: list[float] = []
        self.validation_scores_: list[float] | None = [] if self.early_stopping else None
        self.t_, self._epochs = 0, 0
        self._best_loss, self._best_score = np.inf, -np.inf

    def _fit_batches(self, rows: Rows) -> None:
        """Train by Adam or SGD until progress ends or max_iter epochs are done."""
        self._rule_state = None  # a fit starts its moments anew, also a warm one
        train_rows, score = rows, None
        if self.early_stopping:
            train_rows, held_out = self._set_aside(rows)
            score = self._scorer(held_out)
        done = self._train(train_rows, self.max_iter, score)
        if not done:
            warnings.warn(
                f"not converged: mean loss {self.loss_:.6g} after max_iter={self.max_iter} epochs, "
                f"still improving by more than tol={self.tol:g}; raise max_iter, or tol.",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _train(self, rows: Rows, max_epochs: int, score: Callable[[NDArray], float] | None) -> bool:
        """Run epochs on rows and set what they leave; tell whether progress came to an end."""
        network, rule = self.network_, self._rule()
        penalty = ElasticNet(weights_only(network.layout), l2=float(self.alpha))
        objective = BatchObjective(network, rows.X, rows.y, rows.weight, penalty, self._seed)
        run = Run(
            theta=self.theta_.copy(),
            state=self._rule_state or rule.start(network.n_parameters),
            seed=self._seed,
            epoch=self._epochs,
            rows_seen=self.t_,
            losses=self.loss_curve_,
            best_loss=self._best_loss,
            best_score=self._best_score,
            scores=self.validation_scores_ if self.validation_scores_ is not None else [],
        )
        plan = Plan(
            batch_size=self._batch_size(objective.n_rows),
            max_epochs=int(max_epochs),
            shuffle=self.shuffle,
            tol=self.tol,
            patience=self.n_iter_no_change,
        )
        before = run.epoch
        done = train(objective, rule, run, plan, score, lambda run: self._after_epoch(run, rule))
        self.theta_ = run.theta if run.best_theta is None else run.best_theta
        self._rule_state, self._epochs, self.t_ = run.state, run.epoch, run.rows_seen
        self._best_loss, self._best_score = run.best_loss, run.best_score
        self.n_iter_ = run.epoch - before
        self.loss_ = run.losses[-1]
        self.best_loss_ = run.best_loss if score is None else None
        self.best_validation_score_ = run.best_score if score is not None else None
        return done

    def _rule(self) -> Rule:
        if self.solver == "adam":
            return Adam(self.learning_rate_init, self.beta_1, self.beta_2, self.epsilon)
        return SGD(
            self.learning_rate_init,
            self.momentum,
            self.nesterovs_momentum,
            self.learning_rate,
            self.power_t,
        )

    def _batch_size(self, n_rows: int) -> int:
        if self.batch_size == "auto":
            return min(200, n_rows)
        if self.batch_size > n_rows:  # type: ignore[operator]
            warnings.warn(
                f"batch_size={self.batch_size} is more than the {n_rows} rows; it takes all at once.",
                stacklevel=6,
            )
        return min(int(self.batch_size), n_rows)

    def _after_epoch(self, run: Run, rule: Rule) -> None:
        """Print a line where verbose, and show callbacks the state."""
        score = run.scores[-1] if run.scores else None
        if self.verbose:
            shown = "" if score is None else f", validation score {score:.6f}"
            print(f"epoch {run.epoch}: loss {run.losses[-1]:.8f}{shown}")
        if not self.callbacks:
            return
        theta = run.theta.copy()
        theta.flags.writeable = False
        rate = rule.current_rate(run.state)
        state = EpochState(run.epoch, theta, run.losses[-1], score, rate, self.network_)
        for callback in self.callbacks:
            callback(state)

    def _set_aside(self, rows: Rows) -> tuple[Rows, Rows]:
        """Split off the validation rows, stratified by class."""
        kept, held = train_test_split(
            np.arange(len(rows.X)),
            test_size=self.validation_fraction,
            random_state=self._seed,
            stratify=None if self._multilabel else rows.y,
        )
        if len(held) < 2:
            raise ValueError(
                f"early_stopping would judge by {len(held)} row; raise validation_fraction, "
                f"{self.validation_fraction} now, or use more rows."
            )
        weights = [None if rows.weight is None else rows.weight[part] for part in (kept, held)]
        return (
            Rows(rows.X[kept], rows.y[kept], weights[0]),
            Rows(rows.X[held], rows.y[held], weights[1]),
        )

    def _scorer(self, rows: Rows) -> Callable[[NDArray], float]:
        """Return θ -> weighted accuracy on rows (multilabel: all labels of a row right)."""
        asked = logit_network(self.network_)

        def accuracy(theta: NDArray) -> float:
            values = asked.forward(theta, rows.X)
            if self._multilabel:
                no, yes = log_probabilities(values, asked)
                right = ((yes > no) == (rows.y > 0.5)).all(axis=1)
            else:
                right = log_distribution(values, asked).argmax(axis=1) == rows.y
            return float(np.average(right, weights=rows.weight))

        return accuracy

    def _fit_all_rows(self, rows: Rows) -> None:
        """Train by L-BFGS, all rows at every step."""
        network = self.network_
        penalty = ElasticNet(weights_only(network.layout), l2=float(self.alpha))
        objective = Objective(network, rows.X, rows.y, rows.weight, penalty)
        total = objective.total_weight
        outcome = lbfgs.minimise(
            objective,
            self.theta_,
            enough=lambda theta: True,
            max_iter=int(self.max_iter),
            gradient_tolerance=self.tol * total,
            value_tolerance=2.0**-52 * 1e7,
        )
        self.theta_ = outcome.theta
        self.loss_ = self.best_loss_ = objective.value(outcome.theta) / total
        self.best_validation_score_ = None
        self.n_iter_ = max(outcome.n_iter, 1)
        self.t_ += self.n_iter_ * len(rows.X)
        if outcome.n_iter >= self.max_iter:
            warnings.warn(
                f"not converged: mean loss {self.loss_:.6g} after max_iter={self.max_iter} steps "
                "of lbfgs; raise max_iter, or tol.",
                ConvergenceWarning,
                stacklevel=3,
            )

    def predict(self, X: Any) -> NDArray:
        """Predict the class of every row, (n_rows,); multilabel: (n_rows, n_labels) of 0 and 1."""
        check_is_fitted(self)
        if not self._multilabel:
            return super().predict(X)
        no, yes = self._label_log_proba(X)
        return (yes > no).astype(int)

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict log-probabilities, (n_rows, n_classes); multilabel: of 1, (n_rows, n_labels)."""
        check_is_fitted(self)
        if self._multilabel:
            return self._label_log_proba(X)[1]
        asked = logit_network(self.network_)
        return log_distribution(asked.forward(self.theta_, read_for_predict(self, X)), asked)

    def _label_log_proba(self, X: Any) -> tuple[NDArray, NDArray]:
        asked = logit_network(self.network_)
        return log_probabilities(asked.forward(self.theta_, read_for_predict(self, X)), asked)

    @property
    def coefs_(self) -> list[NDArray[np.float64]]:
        """Weights per layer, (n_in, n_out) as in scikit-learn."""
        return self._stack_parameters("coefs_")[0]

    @property
    def intercepts_(self) -> list[NDArray[np.float64]]:
        """Biases per layer, (n_out,)."""
        return self._stack_parameters("intercepts_")[1]

    def _stack_parameters(self, asked: str) -> tuple[list[NDArray], list[NDArray]]:
        if not hasattr(self, "theta_"):
            raise AttributeError(f"{asked} is there after fit.")
        if self.network is not None:
            raise AttributeError(
                f"{asked} is not defined for a network of your own; use model.network_.parameters("
                "model.theta_)."
            )
        return stack_parameters(self.network_, self.theta_)

    @property
    def n_layers_(self) -> int:
        """Number of layers of units, the input and the outputs included."""
        return len(self.coefs_) + 1

    @property
    def n_outputs_(self) -> int:
        """Number of values that enter the loss."""
        check_is_fitted(self, "theta_")
        binary = len(self.classes_) == 2 and isinstance(self.network_.loss, BINARY)
        return 1 if binary and not self._multilabel else len(self.classes_)

    @property
    def out_activation_(self) -> str:
        """What makes probabilities of the last logits: "logistic" or "softmax"."""
        check_is_fitted(self, "theta_")
        return "logistic" if isinstance(self.network_.loss, BINARY) else "softmax"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _labels(y: ArrayLike) -> tuple[NDArray, bool]:
    """Return y as (n_rows,) labels, or (n_rows, n_labels) of 0 and 1 with True beside it."""
    if type_of_target(y) == "multilabel-indicator":
        dense = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
        return dense, True
    check_classification_targets(y)
    return column_or_1d(y, warn=True), False
