"""Multi-layer perceptrons, or any network, as a classifier in scikit-learn's dress."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from backpass.data.rows import Block
from backpass.estimators.base import NetworkClassifier
from backpass.estimators.callbacks import Callback
from backpass.estimators.datasets import is_dataset
from backpass.estimators.inputs import (
    check_lengths,
    is_table,
    read_for_fit,
    read_for_predict,
    read_labels,
    row_weights,
)
from backpass.estimators.mlp_attributes import StackAttributes
from backpass.estimators.mlp_parameters import check_parameters, check_partial, hidden_sizes
from backpass.estimators.outputs import (
    log_distribution,
    log_probabilities,
    logit_network,
)
from backpass.estimators.stack import own_network, stack
from backpass.estimators.training import (
    Rows,
    mean_loss,
    scorer,
    set_aside,
    train_by_batches,
    train_on_all_rows,
)
from backpass.network import Network
from backpass.runner import reproducible
from backpass.solvers.minibatch import Run


class MLPClassifier(StackAttributes, NetworkClassifier):
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
    early_stopping : True sets validation_fraction of the rows aside, stops by the accuracy on
        them, and keeps the best θ; "log_loss" does so by their mean loss, which goes on telling
        epochs apart where accuracy does not, and where probabilities become too sure.
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

    Notes
    -----
    Arrays, and pandas frames of numbers with none missing, go in as they are, so scale them as for
    any network. Any other table is encoded, its numbers centred and scaled.
    """

    loss_curve_: list[float]
    _run: Run
    _multilabel: bool

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
        early_stopping: bool | str = False,
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

    def fit(
        self, X: Any, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> MLPClassifier:
        """Train on X (n_rows, n_features), y (n_rows,) or (n_rows, n_labels) of 0 and 1."""
        check_parameters(self)
        if is_dataset(X):
            raise ValueError(
                "X is a dataset in files, which LogisticRegression reads block by block; a network "
                "takes arrays and tables, so read it into one (pandas, polars, pyarrow)."
            )
        resume = self.warm_start and hasattr(self, "theta_")
        before = self.classes_ if resume else None
        rows, multilabel = self._read(X, y, sample_weight, learn_columns=not resume)
        if before is not None and not np.array_equal(before, self.classes_):
            raise ValueError(
                f"warm_start goes on with the classes of the last fit, {before.tolist()}, but y "
                f"has {self.classes_.tolist()}; use warm_start=False for other classes."
            )
        with reproducible():
            run = self._started(rows, multilabel, resume)
            run.state, run.stale = {}, 0  # moments begin anew in every fit, also in a warm one
            if self.solver == "lbfgs":
                done = self._fit_all_rows(rows, run)
            else:
                done = self._fit_batches(rows, run, multilabel)
        if not done:
            unit = "steps of lbfgs" if self.solver == "lbfgs" else "epochs"
            warnings.warn(
                f"not converged: mean loss {self.loss_:.6g} after max_iter={self.max_iter} {unit}, "
                f"still improving (tol={self.tol:g}); raise max_iter, or tol.",
                ConvergenceWarning,
                stacklevel=2,
            )
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
        first = not hasattr(self, "classes_")
        check_partial(self, classes)
        rows, multilabel = self._read(X, y, sample_weight, first, classes, learn_classes=first)
        with reproducible():
            run = self._started(rows, multilabel, resume=not first)
            train_by_batches(self, self.network_, rows, run, 1, None)
        self._keep(run, n_iter=1)
        return self

    def _read(
        self,
        X: Any,
        y: ArrayLike | None,
        sample_weight: ArrayLike | None,
        learn_columns: bool,
        classes: ArrayLike | None = None,
        learn_classes: bool = True,
    ) -> tuple[Rows, bool]:
        """Return rows as arrays, and whether y is multilabel; learn columns and classes."""
        if learn_columns:
            columns = read_for_fit(
                self, X, "indicator" if is_table(X) else "raise", standardize=True
            )
            self.encoding_, array = columns.encoding, columns.X
        else:
            array = read_for_predict(self, X)
        check_lengths(array, y, sample_weight)
        labels, multilabel = _labels(y)
        if learn_classes:
            known = labels if classes is None else np.asarray(classes)
            self.classes_ = np.arange(labels.shape[1]) if multilabel else np.unique(known)
            if len(self.classes_) < 2:
                raise ValueError(
                    f"y has one class only, {self.classes_.tolist()}; a classifier needs two "
                    "classes."
                )
        if multilabel and self.class_weight is not None:
            raise ValueError("class_weight has no meaning for several labels a row; use None.")
        targets = self._numbered(labels, multilabel)
        weight = row_weights(sample_weight, self.class_weight, array, targets, self.classes_)
        return Rows(array, targets, weight), multilabel

    def _started(self, rows: Rows, multilabel: bool, resume: bool) -> Run:
        """Return the run to go on with, a new one with a new network and θ unless resuming."""
        if resume and hasattr(self, "_run"):
            return self._run
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        if not resume:
            self.network_ = self._build(rows.X.shape[1], multilabel)
            self._multilabel = multilabel
            self.theta_ = self.network_.init(seed)
            self.loss_curve_ = []
        # A model that was read from a file resumes with its θ and curve, but with a new seed.
        self._run = Run(self.theta_.copy(), {}, seed, losses=self.loss_curve_)
        return self._run

    def _build(self, n_features: int, multilabel: bool) -> Network:
        n_classes = len(self.classes_)
        if self.network is not None:
            return own_network(self.network, n_features, n_classes, multilabel)
        exclusive = n_classes > 2 and not multilabel
        return stack(
            n_features,
            hidden_sizes(self.hidden_layer_sizes),
            n_classes if exclusive or multilabel else 1,
            exclusive,
            self.activation,
            self.dropout,
            self.dtype,
        )

    def _fit_batches(self, rows: Rows, run: Run, multilabel: bool) -> bool:
        """Train by Adam or SGD; tell whether progress ended before max_iter epochs."""
        score, epochs_before = None, run.epoch
        if self.early_stopping:
            rows, held_out = set_aside(
                rows, self.validation_fraction, run.seed, stratify=not multilabel
            )
            by = "accuracy" if self.early_stopping is True else str(self.early_stopping)
            score = scorer(self.network_, held_out, multilabel, by)
        done = train_by_batches(self, self.network_, rows, run, int(self.max_iter), score)
        if score is not None and run.best_theta is not None:
            run.theta[...] = run.best_theta
        self._keep(run, n_iter=run.epoch - epochs_before)
        return done

    def _fit_all_rows(self, rows: Rows, run: Run) -> bool:
        """Train by L-BFGS; tell whether it ended before max_iter steps."""
        outcome = train_on_all_rows(self, self.network_, rows, run.theta)
        run.theta[...] = outcome.theta
        run.losses.append(mean_loss(self, self.network_, rows, outcome.theta))
        run.best_loss = min(run.best_loss, run.losses[-1])
        run.rows_seen += outcome.n_iter * len(rows.X)
        self._keep(run, n_iter=max(outcome.n_iter, 1))
        return outcome.n_iter < self.max_iter

    def _keep(self, run: Run, n_iter: int) -> None:
        """Set the fitted attributes from where a run stands."""
        self.theta_ = run.theta.copy()
        self.n_iter_, self.t_ = n_iter, run.rows_seen
        self.loss_, self.loss_curve_ = run.losses[-1], run.losses
        judged = self.early_stopping
        self.validation_scores_ = run.scores if judged else None
        self.best_validation_score_ = run.best_score if judged else None
        self.best_loss_ = None if judged else run.best_loss

    def _targets(self, y: NDArray) -> NDArray:
        return self._numbered(y, self._multilabel)

    def _numbered(self, y: NDArray, multilabel: bool) -> NDArray:
        """Return y as the loss takes it: numbers of classes, or 0 and 1 for each label."""
        if not multilabel:
            return super()._targets(y)
        if y.ndim != 2 or y.shape[1] != len(self.classes_):
            raise ValueError(
                f"y has shape {y.shape}; this fit has {len(self.classes_)} labels a row, "
                f"so it takes (n_rows, {len(self.classes_)})."
            )
        return y.astype(np.float64)

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

    def log_proba_of_block(self, block: Block) -> NDArray[np.float64]:
        """Predict log-probabilities of rows that are encoded already."""
        asked = logit_network(self.network_)
        return log_distribution(asked.forward(self.theta_, block.written_out()), asked)

    def _label_log_proba(self, X: Any) -> tuple[NDArray, NDArray]:
        asked = logit_network(self.network_)
        return log_probabilities(asked.forward(self.theta_, read_for_predict(self, X)), asked)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _labels(y: Any) -> tuple[NDArray, bool]:
    """Return y as (n_rows,) labels, or (n_rows, n_labels) of 0 and 1 with True beside it."""
    given = y.toarray() if sparse.issparse(y) else np.asarray(y)
    if given.ndim == 2 and given.shape[1] > 1 and type_of_target(given) == "multilabel-indicator":
        return given, True
    return read_labels(y), False
