"""MLPClassifier: against scikit-learn and torch, its parameters one by one, its errors."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier as Peer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import backpass as bp

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

# Fits here are cut short on purpose; the warning itself has its own test.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def digits(n_classes=10):
    X, y = load_digits(return_X_y=True)
    return X[y < n_classes] / 16.0, y[y < n_classes]


def from_the_same_start(X, y, **parameters):
    """Train ours and scikit-learn's from our starting weights, rows in order; return both."""
    parameters = {
        "hidden_layer_sizes": (7, 5),
        "shuffle": False,
        "batch_size": 50,
        "max_iter": 8,
        "tol": 0.0,
        "random_state": 0,
    } | parameters
    ours = bp.MLPClassifier(dtype="float64", **parameters).fit(X, y)
    starts = ours.network_.parameters(ours.network_.init(ours._run.seed))

    class Started(Peer):
        def _initialize(self, *args):
            super()._initialize(*args)
            self.coefs_ = [v.T.copy() for name, v in starts.items() if name.endswith("weight")]
            self.intercepts_ = [v.copy() for name, v in starts.items() if name.endswith("bias")]

    return ours, Started(**parameters).fit(X, y)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("n_classes", [2, 10])
def test_losses_and_weights_are_scikit_learns(activation, n_classes):
    ours, peer = from_the_same_start(*digits(n_classes), activation=activation)
    np.testing.assert_allclose(ours.loss_curve_, peer.loss_curve_, rtol=1e-10)
    for one, other in zip(
        ours.coefs_ + ours.intercepts_, peer.coefs_ + peer.intercepts_, strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-9)
    assert ours.out_activation_ == peer.out_activation_
    assert (ours.n_layers_, ours.n_outputs_) == (peer.n_layers_, peer.n_outputs_)
    assert (ours.n_iter_, ours.t_) == (peer.n_iter_, peer.t_)


@pytest.mark.parametrize(
    "parameters",
    [
        {"solver": "sgd", "learning_rate_init": 0.05},
        {"solver": "sgd", "nesterovs_momentum": False, "momentum": 0.5},
        {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.3, "learning_rate_init": 0.5},
        {
            "solver": "sgd",
            "learning_rate": "adaptive",
            "learning_rate_init": 0.05,
            "n_iter_no_change": 1,
            "tol": 0.3,
        },
        {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3},
        {"alpha": 2.0},
        {"batch_size": 33},
    ],
)
def test_every_parameter_means_what_it_means_in_scikit_learn(parameters):
    ours, peer = from_the_same_start(*digits(3), **parameters)
    np.testing.assert_allclose(ours.loss_curve_, peer.loss_curve_, rtol=1e-8)


def test_weights_are_scikit_learns():
    X, y = digits(3)
    weight = np.random.default_rng(0).uniform(0, 2, len(y))
    parameters = {"hidden_layer_sizes": (5,), "shuffle": False, "max_iter": 3, "random_state": 0}
    ours = bp.MLPClassifier(dtype="float64", **parameters).fit(X, y, weight)
    doubled = bp.MLPClassifier(dtype="float64", alpha=2e-4, **parameters).fit(X, y, 2 * weight)
    np.testing.assert_allclose(ours.theta_, doubled.theta_, rtol=1e-7, atol=1e-10)
    plain = bp.MLPClassifier(dtype="float64", **parameters).fit(X, y)
    assert np.abs(plain.theta_ - ours.theta_).max() > 1e-4


@pytest.mark.parametrize("class_weight", ["balanced", {0: 2.0, 1: 0.1}])
def test_class_weights_are_row_weights(class_weight):
    X, y = digits(3)
    y = np.where(y == 2, 1, y)
    factors = {0: 2.0, 1: 0.1}
    if class_weight == "balanced":
        factors = {k: len(y) / (2 * np.sum(y == k)) for k in (0, 1)}
    weight = np.where(y == 0, factors[0], factors[1])
    parameters = {"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0, "dtype": "float64"}
    ours = bp.MLPClassifier(class_weight=class_weight, **parameters).fit(X, y)
    by_rows = bp.MLPClassifier(**parameters).fit(X, y, weight)
    np.testing.assert_allclose(ours.theta_, by_rows.theta_, atol=1e-12)


@pytest.mark.peers
@pytest.mark.parametrize("rule", ["adam", "sgd", "nesterov"])
def test_steps_are_torchs(rule):
    torch = pytest.importorskip("torch")
    X, y = digits(3)
    # torch puts epsilon elsewhere (see `Adam`), so it is made too small to tell
    parameters = {"solver": rule if rule == "adam" else "sgd", "learning_rate_init": 0.01}
    parameters |= {"epsilon": 1e-14}
    model = bp.MLPClassifier(
        (6,),
        shuffle=False,
        batch_size=100,
        alpha=0.0,
        dtype="float64",
        nesterovs_momentum=rule == "nesterov",
        max_iter=3,
        random_state=0,
        **parameters,
    ).fit(X, y)
    net = torch.nn.Sequential(torch.nn.Linear(64, 6), torch.nn.ReLU(), torch.nn.Linear(6, 3))
    net = net.double()
    start = model.network_.parameters(model.network_.init(model._run.seed))
    net.load_state_dict({name: torch.tensor(value) for name, value in start.items()})
    optimiser = (
        torch.optim.Adam(net.parameters(), lr=0.01, eps=1e-14)
        if rule == "adam"
        else torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, nesterov=rule == "nesterov")
    )
    rows, labels = torch.tensor(X), torch.tensor(y)
    for _ in range(3):
        for at in range(0, len(y), 100):
            optimiser.zero_grad()
            loss = torch.nn.functional.cross_entropy(
                net(rows[at : at + 100]), labels[at : at + 100]
            )
            loss.backward()
            optimiser.step()
    ours = model.network_.parameters(model.theta_)
    for name, value in net.state_dict().items():
        np.testing.assert_allclose(ours[name], value.numpy(), atol=1e-6)


def mean_scores(X, y, n_splits, **parameters):
    scores = np.empty((2, n_splits))
    for seed in range(n_splits):
        parts = train_test_split(X, y, random_state=seed, stratify=y)
        for place, cls in enumerate((bp.MLPClassifier, Peer)):
            model = cls(random_state=seed, **parameters).fit(parts[0], parts[2])
            scores[place, seed] = model.score(parts[1], parts[3])
    return scores.mean(axis=1), scores.std(axis=1, ddof=1).max() / np.sqrt(n_splits)


def test_accuracy_on_digits_is_scikit_learns():
    (ours, peers), error = mean_scores(*digits(), 3, max_iter=60)
    assert ours > peers - 3 * error
    assert ours > 0.96


def test_accuracy_on_sonar_is_scikit_learns():
    if not DATA.exists():
        pytest.skip(f"the shared data sets are not beside the repository ({DATA.name}/)")
    table = np.loadtxt(DATA / "sonar" / "sonar.csv", delimiter=",", dtype=str)
    X, y = table[:, :-1].astype(float), table[:, -1]
    (ours, peers), error = mean_scores(X, y, 6, hidden_layer_sizes=(12,), max_iter=400)
    assert ours > peers - 3 * error
    assert ours > 0.75


def test_lbfgs_finds_a_minimum():
    X, y = digits(4)
    model = bp.MLPClassifier(
        (6,),
        solver="lbfgs",
        alpha=1.0,
        dtype="float64",
        tol=1e-6,
        activation="tanh",
        random_state=0,
        max_iter=2000,
    ).fit(X, y)
    cost, grad = model.network_.cost_and_gradient(model.theta_, X, y)
    named = model.network_.parameters(model.theta_)
    decay = np.zeros_like(grad)
    for name, value in model.network_.parameters(decay).items():
        value[...] = named[name] if name.endswith("weight") else 0.0
    assert np.abs(grad + decay).max() < 1e-3 * len(X)
    assert model.loss_ == pytest.approx((cost + 0.5 * (decay**2).sum()) / len(X), rel=1e-12)
    assert model.n_iter_ < 2000
    assert model.score(X, y) == 1.0


def test_random_state_decides_everything():
    X, y = digits(3)
    parameters = {"max_iter": 3, "dropout": 0.2, "early_stopping": True}
    one = bp.MLPClassifier(random_state=1, **parameters).fit(X, y)
    two = bp.MLPClassifier(random_state=1, **parameters).fit(X, y)
    other = bp.MLPClassifier(random_state=2, **parameters).fit(X, y)
    np.testing.assert_array_equal(one.theta_, two.theta_)
    assert (one.theta_ != other.theta_).any()
    again = bp.MLPClassifier(random_state=np.random.RandomState(5), max_iter=2).fit(X, y)
    assert (again.theta_ != one.theta_).any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_do_not_depend_on_threads(dtype, monkeypatch):
    X, y = digits()
    X, y = np.tile(X, (3, 1)), np.tile(y, 3)
    thetas = []
    for n_threads in (1, 2):
        monkeypatch.setattr("backpass.runner.effective_n_jobs", lambda n_jobs, n=n_threads: n)
        model = bp.MLPClassifier((300,), batch_size=2000, max_iter=2, random_state=0, dtype=dtype)
        thetas.append(model.fit(X, y).theta_)
    np.testing.assert_array_equal(*thetas)


def test_early_stopping_keeps_the_best_theta():
    X, y = digits(5)
    seen = []
    model = bp.MLPClassifier(
        (8,),
        early_stopping=True,
        validation_fraction=0.2,
        n_iter_no_change=3,
        max_iter=60,
        random_state=0,
        callbacks=[seen.append],
    ).fit(X, y)
    scores = model.validation_scores_
    assert model.n_iter_ == len(scores) == len(seen) < 60
    assert model.best_validation_score_ == max(scores)
    assert model.best_loss_ is None
    best = seen[int(np.argmax(scores))]
    np.testing.assert_array_equal(model.theta_, best.theta)
    assert best.validation_score == max(scores)


def test_early_stopping_by_log_loss_goes_on_where_all_rows_are_right():
    X, y = digits(2)  # told apart by accuracy after a few epochs
    common = {"validation_fraction": 0.25, "random_state": 0, "learning_rate_init": 0.01}
    by_accuracy, by_loss = (
        bp.MLPClassifier((8,), early_stopping=judge, max_iter=150, **common).fit(X, y)
        for judge in (True, "log_loss")
    )
    assert by_accuracy.best_validation_score_ == 1.0
    assert by_loss.n_iter_ > 2 * by_accuracy.n_iter_
    assert by_loss.best_validation_score_ == max(by_loss.validation_scores_) < 0.0
    # the score is minus the mean loss of the θ that was kept
    _, X_held, _, y_held = train_test_split(
        X, y, test_size=0.25, random_state=by_loss._run.seed, stratify=y
    )
    loss = -np.take_along_axis(by_loss.predict_log_proba(X_held), y_held[:, None], axis=1).mean()
    assert by_loss.best_validation_score_ == pytest.approx(-loss, rel=1e-6)


def test_callbacks_see_a_state_that_they_cannot_change():
    seen = []
    model = bp.MLPClassifier((4,), max_iter=3, random_state=0, callbacks=[seen.append])
    model.fit(*digits(3))
    assert [state.epoch for state in seen] == [1, 2, 3]
    assert [state.loss for state in seen] == model.loss_curve_
    assert seen[0].validation_score is None
    assert seen[0].learning_rate == 1e-3
    assert seen[-1].network is model.network_
    np.testing.assert_array_equal(seen[-1].theta, model.theta_)
    assert (seen[0].theta != seen[1].theta).any()
    with pytest.raises(ValueError, match="read-only"):
        seen[0].theta[0] = 1.0
    with pytest.raises(AttributeError):
        seen[0].loss = 0.0


def test_training_ends_where_the_loss_stops_falling():
    X, y = digits(2)
    model = bp.MLPClassifier((4,), tol=1e-2, n_iter_no_change=2, random_state=0).fit(X, y)
    assert model.n_iter_ < 200
    assert model.best_loss_ == min(model.loss_curve_)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_too_few_epochs_are_complained_about(solver):
    with pytest.warns(ConvergenceWarning, match=r"not converged: mean loss .* max_iter=2 .*raise"):
        bp.MLPClassifier(max_iter=2, solver=solver).fit(*digits(3))


def test_warm_start_goes_on():
    X, y = digits(3)
    model = bp.MLPClassifier((6,), warm_start=True, max_iter=4, random_state=0).fit(X, y)
    first = model.loss_
    model.fit(X, y)
    assert model.n_iter_ == 4
    assert len(model.loss_curve_) == 8
    assert model.loss_ < first
    assert model.t_ == 8 * len(X)
    with pytest.raises(ValueError, match="warm_start goes on with the classes of the last fit"):
        model.fit(X, y + 1)


def test_partial_fit_is_one_epoch_that_goes_on():
    X, y = digits(3)
    model = bp.MLPClassifier((6,), random_state=0)
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        model.partial_fit(X, y)
    for _ in range(5):
        model.partial_fit(X, y, classes=[0, 1, 2])
    whole = bp.MLPClassifier((6,), random_state=0, max_iter=5).fit(X, y)
    np.testing.assert_array_equal(model.theta_, whole.theta_)
    assert model.loss_curve_ == whole.loss_curve_
    model.partial_fit(X[:20], np.zeros(20, dtype=int))
    with pytest.raises(ValueError, match=r"y, row 0: .*9.* is not one of the classes"):
        model.partial_fit(X[:1], [9])
    with pytest.raises(ValueError, match="is not the same as on the last call"):
        model.partial_fit(X, y, classes=[0, 1])
    assert not hasattr(bp.MLPClassifier(solver="lbfgs"), "partial_fit")


def test_dropout_regularises_and_prediction_is_without_it():
    X, y = digits(5)
    thin = bp.MLPClassifier((40,), dropout=0.5, max_iter=30, random_state=0).fit(X, y)
    full = bp.MLPClassifier((40,), max_iter=30, random_state=0).fit(X, y)
    assert thin.loss_ > full.loss_
    np.testing.assert_array_equal(thin.predict_proba(X), thin.predict_proba(X))
    # inverted dropout leaves the mean unchanged, so the thinned network predicts well when whole
    assert thin.score(X, y) > 0.97
    assert list(thin.network_.layout.shapes) == ["0.weight", "0.bias", "3.weight", "3.bias"]


def test_multilabel():
    X, Y = make_multilabel_classification(300, n_classes=4, random_state=0)
    model = bp.MLPClassifier((20,), max_iter=150, random_state=0).fit(X, Y)
    assert model.predict(X).shape == model.predict_proba(X).shape == Y.shape
    np.testing.assert_array_equal(model.predict(X), model.predict_proba(X) > 0.5)
    assert model.out_activation_ == "logistic"
    peer = Peer((20,), max_iter=150, random_state=0).fit(X, Y)
    assert model.score(X, Y) > peer.score(X, Y) - 0.05
    assert model.trace(X[:2], Y[:2]).cost > 0
    stopped = bp.MLPClassifier((20,), early_stopping=True, max_iter=5, random_state=0).fit(X, Y)
    assert len(stopped.validation_scores_) == 5
    with pytest.raises(ValueError, match="class_weight has no meaning"):
        bp.MLPClassifier(class_weight="balanced").fit(X, Y)


def residual(n_features, n_classes):
    inner = [bp.Linear(n_features, 8), bp.Tanh(), bp.Linear(8, n_features)]
    return bp.Network(
        [bp.Residual(*inner), bp.Linear(n_features, n_classes)], loss=bp.CrossEntropyLoss(0.1)
    )


def test_a_network_of_ones_own():
    X, y = digits(3)
    model = bp.MLPClassifier(network=residual, max_iter=20, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.95
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0, rtol=1e-12)
    given = bp.MLPClassifier(network=model.network_, max_iter=20, random_state=0).fit(X, y)
    np.testing.assert_array_equal(given.theta_, model.theta_)
    with pytest.raises(AttributeError, match="not defined for a network of your own"):
        _ = model.coefs_


@pytest.mark.parametrize(
    "end",
    [
        ([bp.Linear(64, 1), bp.Sigmoid()], bp.BCELoss()),
        ([bp.Linear(64, 1)], bp.BCEWithLogitsLoss()),
        ([bp.Linear(64, 2), bp.LogSoftmax()], bp.NLLLoss()),
        ([bp.Linear(64, 2)], bp.CrossEntropyLoss()),
    ],
)
def test_every_loss_gives_probabilities(end):
    X, y = digits(2)
    net = bp.Network(end[0], loss=end[1])
    model = bp.MLPClassifier(network=net, max_iter=60, random_state=0).fit(X, y)
    proba = model.predict_proba(X)
    assert proba.shape == (len(X), 2)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(np.log(proba), model.predict_log_proba(X), rtol=1e-9, atol=1e-12)
    cost = -model.predict_log_proba(X)[np.arange(len(y)), y].sum()
    assert net.cost(model.theta_, X, y) == pytest.approx(cost, rel=1e-12)


@pytest.mark.parametrize(
    ("net", "says"),
    [
        (bp.Network([bp.Linear(64, 1)], bp.BCEWithLogitsLoss()), "must end with NLLLoss or"),
        (bp.Network([bp.Linear(64, 4)], bp.CrossEntropyLoss()), "gives 4 values .* must give 3"),
        (
            bp.Network([bp.Linear(9, 3)], bp.CrossEntropyLoss()),
            "takes 9 values per row but X has 64",
        ),
    ],
)
def test_a_network_that_does_not_fit(net, says):
    with pytest.raises(ValueError, match=says):
        bp.MLPClassifier(network=net).fit(*digits(3))


def test_not_a_network():
    with pytest.raises(TypeError, match=r"it is a bp\.Network or a function"):
        bp.MLPClassifier(network=lambda n, k: "relu").fit(*digits(3))


def test_it_is_a_scikit_learn_citizen():
    X, y = digits(3)
    model = bp.MLPClassifier((5,), max_iter=5, random_state=0)
    assert clone(model).get_params() == model.get_params()
    fitted = pickle.loads(pickle.dumps(model.fit(X, y)))
    np.testing.assert_array_equal(fitted.predict_proba(X), model.predict_proba(X))
    fitted.set_params(warm_start=True).fit(X, y)
    model.set_params(warm_start=True).fit(X, y)
    np.testing.assert_array_equal(fitted.theta_, model.theta_)
    pipeline = make_pipeline(StandardScaler(), bp.MLPClassifier(max_iter=60, random_state=0))
    search = GridSearchCV(pipeline, {"mlpclassifier__hidden_layer_sizes": [(4,), (16,)]}, cv=2)
    assert search.fit(X, y).best_score_ > 0.95


def test_verbose_prints_a_line_per_epoch(capsys):
    bp.MLPClassifier((3,), max_iter=2, verbose=1, early_stopping=True).fit(*digits(2))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("epoch 1: loss ")
    assert "validation score" in lines[0]


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"activation": "swish"}, "activation is 'swish'; it is one of 'relu', 'tanh'"),
        ({"solver": "rmsprop"}, "solver is 'rmsprop'; it is one of 'adam', 'sgd', 'lbfgs'"),
        ({"learning_rate": "cosine"}, "learning_rate is 'cosine'"),
        ({"dtype": "float16"}, "dtype is 'float16'"),
        ({"alpha": -1.0}, r"alpha is -1.0; it is a number in \[0, inf\)"),
        ({"learning_rate_init": 0.0}, r"learning_rate_init is 0.0; it is a number in \(0, inf\)"),
        ({"beta_1": 1.0}, r"beta_1 is 1.0; it is a number in \[0, 1\)"),
        ({"momentum": "much"}, "momentum is 'much'"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"max_iter": 2.5}, "max_iter is 2.5"),
        ({"batch_size": 0}, "batch_size is 0; it is 'auto' or a whole number"),
        ({"hidden_layer_sizes": (5, 0)}, r"hidden_layer_sizes is \(5, 0\)"),
        ({"solver": "lbfgs", "dropout": 0.5}, "dropout=0.5 belongs to training in epochs"),
        ({"solver": "lbfgs", "early_stopping": True}, "early_stopping=True belongs to"),
        ({"early_stopping": "auc"}, "early_stopping is 'auc'; it is False, True"),
        ({"class_weight": "even"}, "class_weight is 'even'"),
    ],
)
def test_wrong_parameters(parameters, says):
    with pytest.raises(ValueError, match=says):
        bp.MLPClassifier(**parameters).fit(*digits(3))


def test_wrong_data():
    X, y = digits(3)
    with pytest.raises(ValueError, match="y has one class only"):
        bp.MLPClassifier().fit(X, np.zeros(len(X)))
    with pytest.raises(ValueError, match="would judge by 1 row"):
        few = np.array([0, 1, 2, 3, 4, 5])
        bp.MLPClassifier(early_stopping=True, validation_fraction=0.1).fit(
            X[few], np.array([[0, 1], [1, 0]] * 3)
        )
    with pytest.raises(ValueError, match="early_stopping=True cannot set any aside"):
        bp.MLPClassifier(early_stopping=True).partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="needs all rows at once"):
        bp.MLPClassifier(class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])
    with pytest.warns(UserWarning, match="batch_size=5000 is more than the 537 rows"):
        bp.MLPClassifier(batch_size=5000, max_iter=1).fit(X, y)
