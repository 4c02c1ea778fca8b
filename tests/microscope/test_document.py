"""The page's document holds the trace's numbers to the last bit, and nothing in it is markup."""

from __future__ import annotations

import base64
import dataclasses
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.microscope import models
from tests.oracles.cases import draw, networks

import backpass as bp
from backpass.check.derivations import derivation
from backpass.microscope.badges import badge
from backpass.microscope.document import as_script_json, chosen_rows, document, short_name
from backpass.microscope.page import SCRIPTS, asset, page
from backpass.microscope.rules import RULES

NETWORKS = networks()


def unpacked(packed, *shape):
    return np.frombuffer(base64.b64decode(packed["base64"]), f"<{packed['dtype']}").reshape(shape)


def slope(content, L, slot, n_in, n_out):
    """Put ∂z^{L+1}/∂z^L together as the page does."""
    step = content["steps"][L - 1]
    form, values = step["jacobian"]["form"], step["jacobian"]["values"]
    rows = len(content["rows"]["numbers"])
    if form == "weight":
        (weight,) = (p for p in step["parameters"] if p["name"] == "weight")
        return unpacked(weight["value"], n_out, n_in)
    if form == "identity":
        return np.eye(n_in)
    if form == "diagonal":
        return np.diag(unpacked(values, rows, n_in)[slot])
    assert form == "dense"
    return unpacked(values, rows, n_out, n_in)[slot]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_document_holds_every_number_of_every_network(name):
    case = draw(name, NETWORKS[name], 3)
    trace = case.net.trace(case.theta, case.X, case.y)
    content = json.loads(as_script_json(document(trace)))
    n_rows = len(trace.z[1])
    for L in range(1, len(trace.z) + 1):
        level = content["levels"][L - 1]
        shape = (n_rows, level["width"])
        np.testing.assert_array_equal(unpacked(level["z"], *shape), trace.z[L])
        np.testing.assert_array_equal(unpacked(level["delta"], *shape), trace.delta[L])
    for L in range(1, len(trace.z)):
        n_in, n_out = trace.z[L].shape[1], trace.z[L + 1].shape[1]
        for row in range(n_rows):
            there = slope(content, L, row, n_in, n_out)
            np.testing.assert_array_equal(there, trace.jacobian(L, row))
    for step in content["steps"]:
        for parameter in step["parameters"]:
            there = unpacked(parameter["gradient"], *parameter["shape"])
            np.testing.assert_array_equal(there, trace.gradient[parameter["full"]])
        assert step["check"]["passed"]


def test_every_layer_and_loss_of_the_package_has_a_rule():
    import backpass.layers
    import backpass.losses

    names = {*backpass.layers.__all__, *backpass.losses.__all__} - {"Layer", "Loss", "Residual"}
    assert {kind.__name__ for kind in RULES} == names


def test_rules_are_checked_and_a_wrong_one_is_told():
    class Wrong(models.Scale):
        def backward(self, params, z_in, z_out, delta_out, delta_in):
            np.multiply(delta_out, 1.001 * params["scale"], out=delta_in)

    net = bp.Network([bp.Linear(2, 3), Wrong(3)], bp.CrossEntropyLoss())
    trace = net.trace(np.ones(net.n_parameters), np.ones((2, 2)), [0, 1])
    right, wrong, loss = (step["check"] for step in document(trace)["steps"])
    assert right["passed"] and right["error"] < 1e-9
    assert loss["passed"] and loss["error"] < 1e-9
    assert not wrong["passed"] and "backward" in wrong["says"]


def test_a_layer_is_not_checked_unit_by_unit_where_it_has_thousands(monkeypatch):
    net = bp.Network([bp.Linear(5000, 1), bp.Sigmoid()], loss=bp.BCELoss())
    trace = net.trace(net.init(seed=0), np.ones((1, 5000)), np.array([1]))
    calls = []
    forward = bp.Linear.forward
    monkeypatch.setattr(
        bp.Linear, "forward", lambda self, *given: calls.append(1) or forward(self, *given)
    )
    found = badge(trace, 1)
    assert found.passed and found.error < 1e-9 and found.says.endswith("a layer this large.")
    assert 0 < len(calls) < 500


def test_built_in_rules_bring_the_ledgers_verdict(monkeypatch):
    linear, own, loss = (s["derivation"] for s in document(models.own_layer_trace())["steps"])
    assert own is None
    for part, found in ((bp.Linear(2, 3), linear), (bp.CrossEntropyLoss(), loss)):
        assert found == {"passed": True, "says": derivation(part).says}
    assert "independent derivation" in linear["says"]
    # a sum at the end of a Residual is no layer, so it has none
    steps = document(models.residual_trace())["steps"]
    assert [s["name"] for s in steps if s["derivation"] is None] == ["Residual: sum"]
    far = dataclasses.replace(derivation(bp.Tanh()), ulps=5.0, stated=4.0)
    monkeypatch.setattr("backpass.microscope.document.derivation", lambda part: far)
    assert not document(models.figure_1_trace())["steps"][0]["derivation"]["passed"]


def test_an_own_layer_brings_its_rows_gradients():
    trace = models.own_layer_trace()
    step = document(trace)["steps"][1]
    assert step["forward"] is None and step["says"].startswith("A factor for each value")
    per_row = unpacked(step["parameters"][0]["per_row"], 5, 3)
    np.testing.assert_array_equal(per_row, trace.delta[3] * trace.z[2])


def test_levels_are_named_after_features_and_classes():
    trace = models.figure_1_trace()
    content = document(trace, feature_names=["height", "width"], class_names=["cat", "dog"])
    named = [["height", "width"], ["cat", "dog"], ["cat", "dog"], None]
    assert [level["names"] for level in content["levels"]] == named
    assert content["rows"]["labels"][:2] == ["cat", "dog"]
    one = document(models.residual_trace(), class_names=["no", "yes"])
    assert [level["names"] for level in one["levels"]][-3:] == [["yes"], ["yes"], None]
    assert one["rows"]["labels"] == ["no", "yes", "yes", "no", "yes", "no"]


def test_hidden_levels_of_the_same_width_are_not_named_after_classes():
    net = bp.Network([bp.Linear(2, 2), bp.Tanh(), bp.Linear(2, 2)], bp.CrossEntropyLoss())
    trace = net.trace(net.init(0), np.ones((1, 2)), [1])
    named = [level["names"] for level in document(trace, class_names="ab")["levels"]]
    assert named == [None, None, None, ["a", "b"], None]


def test_names_come_with_the_model():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"age": [1.0, 2.0, 3.0, 4.0], "kind": ["a", "b", "a", "b"]})
    model = bp.LogisticRegression().fit(table, ["no", "yes", "yes", "no"])
    trace = model.trace(table, ["no", "yes", "yes", "no"])
    assert trace.feature_names == tuple(model.coef_names_)
    assert trace.class_names == ("no", "yes")
    assert document(trace)["levels"][0]["names"] == list(model.coef_names_)


def test_a_wrong_number_of_names_is_refused():
    trace = models.figure_1_trace()
    with pytest.raises(ValueError, match="feature_names has 3 names; the network takes 2"):
        document(trace, feature_names="abc")
    with pytest.raises(ValueError, match="class_names has 3 names; the network has 2"):
        document(trace, class_names="abc")


def test_rows_are_those_asked_for():
    trace = models.figure_1_trace()
    assert chosen_rows(trace, [7, 3, 7], 5).tolist() == [3, 5, 7]
    assert chosen_rows(trace, None, None).tolist() == list(range(40))
    content = document(trace, rows=[7, 3], row=7)
    assert content["rows"] == {
        "numbers": [3, 7], "names": None, "labels": ["1", "1"], "total": 40, "opened": 7,
    }  # fmt: skip
    with pytest.raises(IndexError, match="row 40: this trace has rows 0 to 39"):
        document(trace, rows=[3, 40])
    with pytest.raises(IndexError, match="row -1"):
        document(trace, row=-1)


def test_rows_are_called_as_asked():
    net = bp.Network([bp.Linear(1, 1), bp.Sigmoid()], loss=bp.BCELoss())
    trace = net.trace(net.init(seed=0), np.ones((3, 1)), np.array([0, 1, 1]))
    assert document(trace)["rows"]["names"] is None
    named = document(trace, rows=[0, 2], row_names=[7, "<b>", 9])["rows"]
    assert (named["numbers"], named["names"]) == ([0, 2], ["7", "9"])
    with pytest.raises(ValueError, match=r"row_names: 2 names for 3 rows"):
        document(trace, row_names=[1, 2])


def test_a_trace_without_rows_is_refused():
    net = models.figure_1()
    empty = net.trace(net.init(0), np.empty((0, 2)), np.empty(0, dtype=int))
    with pytest.raises(ValueError, match="no rows"):
        document(empty)
    assert empty._repr_html_() is None


def test_a_wide_network_stays_under_five_megabytes():
    text = page(models.wide_trace())
    assert len(text.encode()) < 5e6
    content = json.loads(re.search(r'id="document">(.*?)</script>', text)[1])
    assert 50 < len(content["rows"]["numbers"]) < 300


@given(st.text(), st.text())
def test_names_are_text_and_never_markup(first, second):
    trace = models.figure_1_trace(2)
    names = [first + "</script><script>alert(1)</script>", second + "<!--"]
    text = as_script_json(document(trace, feature_names=names))
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text)["levels"][0]["names"] == names


def test_the_title_is_text():
    assert '<h1 id="title">&lt;b&gt; $x</h1>' in page(models.figure_1_trace(2), "<b> $x")


def test_half_a_surrogate_pair_does_not_stop_the_page(tmp_path):
    trace = models.figure_1_trace(2)
    trace.to_html(tmp_path / "t.html", feature_names=["\udcff", "b"])
    assert "\\udcff" in (tmp_path / "t.html").read_text(encoding="utf-8")


def test_the_page_asks_for_nothing_outside():
    text = page(models.figure_1_trace(2))
    assert "default-src 'none'" in text
    outside = re.findall(r"""(?:src|href)\s*=\s*["']?(?!data:)[^"'\s>]+|@import|url\(""", text)
    assert outside == []
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) <= {"http://www.w3.org/2000/svg"}


def test_every_asset_is_part_of_the_page():
    from importlib.resources import files

    there = {item.name for item in (files("backpass.microscope") / "assets").iterdir()}
    assert there == {*SCRIPTS, "page.html", "style.css"}
    assert all(asset(script) for script in SCRIPTS)


def test_writing_leaves_no_part_behind(tmp_path):
    trace = models.figure_1_trace(2)
    trace.to_html(tmp_path / "t.html")
    with pytest.raises(IsADirectoryError):
        trace.to_html(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["t.html"]


def test_notebooks_show_it_in_a_frame_of_its_own():
    shown = models.figure_1_trace(2)._repr_html_()
    assert shown.startswith("<iframe") and 'sandbox="allow-scripts"' in shown
    assert "<script" not in shown  # all of it is inside an attribute


def test_texts_of_layers_are_short():
    assert short_name("Linear(n_in=2, n_out=3, bias=True)") == "Linear(2, 3)"
    assert short_name("Linear(n_in=2, n_out=3, bias=False)") == "Linear(2, 3, bias=False)"
    assert short_name("CrossEntropyLoss(label_smoothing=0.0)") == "CrossEntropyLoss()"
    layer = bp.Elementwise(np.tanh, lambda x, z: 1 - z * z)
    assert " at 0x" not in short_name(repr(dataclasses.replace(layer, f=short_name)))
