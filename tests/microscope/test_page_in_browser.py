"""The page in a real browser: its numbers are the trace's, and everything on it can be reached."""

from __future__ import annotations

import re

import numpy as np
import pytest
from tests.microscope import models
from tests.microscope.browser import Page, close_as_shown, read, started

import backpass as bp

pytestmark = pytest.mark.browser

RIGHT, LEFT, ESCAPE, ENTER, TAB = "\ue014", "\ue012", "\ue00c", "\ue007", "\ue004"
HERE = ("file:", "data:", "about:", "chrome:")  # chrome: is the browser's own first tab
HOSTILE = ["<b>bold</b></script><script>window.broken = 1</script>\"'&", "数 größe"]


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    driver = started(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture
def opened(driver, tmp_path):
    """Return a function that writes a trace's page and opens it; the console must stay silent."""
    pages = []

    def open_page(trace, **options) -> Page:
        trace.to_html(tmp_path / "page.html", **options)
        page = Page(driver, tmp_path / "page.html")
        page.width(1440)
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        assert page.complaints() == []
        assert [url for url in page.requests() if not url.startswith(HERE)] == []


def few_wide_rows():
    return models.wide_trace(3)


def check_cards(page, trace, row):
    """Compare every number in the drawing with the trace."""
    cards = page.js(
        "return [...document.querySelectorAll('.value')].map((e) =>"
        "[e.dataset.pick, e.querySelector('.num').textContent])"
    )
    assert cards
    for pick, text in cards:
        kind, level, unit = re.fullmatch(r"([zd])(\d+)\.(\d+)", pick).groups()
        values = trace.z if kind == "z" else trace.delta
        assert close_as_shown(text, float(values[int(level)][row, int(unit)])), (pick, text)
    return cards


@pytest.mark.parametrize(
    "make", [models.figure_1_trace, models.residual_trace, models.own_layer_trace, "float32"]
)
def test_every_number_is_the_traces_in_every_row(opened, make):
    trace = models.residual_trace("float32") if make == "float32" else make()
    page = opened(trace)
    units = sum(z.shape[1] for z in trace.z)
    for row in range(min(5, len(trace.z[1]))):
        page.choose("#row", row)
        assert len(check_cards(page, trace, row)) == 2 * units


@pytest.mark.peers
def test_every_number_is_torchs(opened):
    torch = pytest.importorskip("torch")
    trace = models.figure_1_trace()
    page = opened(trace)
    page.choose("#row", 3)
    x = torch.tensor(trace.z[1][3:4], requires_grad=True)
    weight, bias = (torch.tensor(trace.params[0][name]) for name in ("weight", "bias"))
    logits = torch.nn.functional.linear(x, weight, bias)
    log_pi = torch.log_softmax(logits, dim=1)
    cost = torch.nn.functional.nll_loss(log_pi, torch.tensor(trace.y[3:4]), reduction="sum")
    chain = [x, logits, log_pi, cost]
    for value in chain[1:]:
        value.retain_grad()
    cost.backward()
    for L, value in enumerate(chain, start=1):
        for i, (z, delta) in enumerate(
            zip(value.detach().reshape(-1), value.grad.reshape(-1), strict=True)
        ):
            assert close_as_shown(page.text(f'[data-pick="z{L}.{i}"] .num'), float(z))
            assert close_as_shown(page.text(f'[data-pick="d{L}.{i}"] .num'), float(delta))


@pytest.mark.parametrize("make", [models.figure_1_trace, models.residual_trace])
def test_the_sum_under_every_delta_adds_up(opened, make):
    trace = make()
    page = opened(trace)
    page.choose("#row", 3)
    for L in range(1, len(trace.z)):
        for i in range(trace.z[L].shape[1]):
            page.hover(f'button[data-pick="d{L}.{i}"]')
            delta = float(trace.delta[L][3, i])
            products = [read(text) for text in page.texts("#inspector td.product")]
            slopes = trace.jacobian(L, 3)[:, i]
            terms = trace.delta[L + 1][3] * slopes
            step = trace.steps[L - 1] if len(trace.steps) >= L else None
            around = [float(trace.delta[M + 2][3, i]) for M in (step.also_feeds if step else ())]
            # of an elementwise layer the page shows the unit's own term and leaves out the zeros
            whole = len(terms) == len(products) - len(around)
            expected = [*(terms if whole else terms[i : i + 1]), *around]
            np.testing.assert_allclose(products, expected, rtol=6e-4, atol=1e-15)
            assert close_as_shown(page.text("#inspector td.total"), delta)
            assert sum(products) == pytest.approx(delta, abs=2e-3 * np.abs(products).max())


def test_a_delta_lights_up_what_it_is_made_of(opened):
    page = opened(models.residual_trace())
    page.hover('button[data-pick="d2.1"]')
    lit = page.js("return [...document.querySelectorAll('.unit.lit')].map((e) => e.dataset.unit)")
    assert set(lit) == {"2.1", "3.0", "3.1", "3.2", "5.1"}
    assert len(page.all("path.lit")) == 4


def test_a_residual_shows_both_deltas_and_their_sum(opened):
    trace = models.residual_trace()
    page = opened(trace)
    page.hover('button[data-pick="d2.0"]')
    chain, around = (read(text) for text in page.texts("#inspector td.part"))
    assert around == pytest.approx(float(trace.delta[5][0, 0]), rel=5e-4)
    assert chain + around == pytest.approx(float(trace.delta[2][0, 0]), rel=2e-3)


def test_every_weight_and_bias_opens_its_product(opened):
    trace = models.figure_1_trace()
    page = opened(trace)
    for name, index in [*(("weight", (j, i)) for j in (0, 1) for i in (0, 1)), ("bias", (1,))]:
        place = int(np.ravel_multi_index(index, trace.gradient[f"0.{name}"].shape))
        page.hover(f'#parameters button[data-pick="p1.{name}.{place}"]')
        z = trace.z[1][0, index[1]] if name == "weight" else 1.0
        pull = float(trace.delta[2][0, index[0]] * z)
        assert float(page.texts("#inspector code.full")[0]) == pull
        assert f"0.{name}[{', '.join(map(str, index))}]" in page.text("#inspector h2")
        told = re.search(r"40 rows of the trace: (.+)\.", page.texts("#inspector > p")[-1])[1]
        assert close_as_shown(told, float(trace.gradient[f"0.{name}"][index]))


def test_a_click_keeps_full_precision_and_escape_lets_go(opened):
    trace = models.figure_1_trace()
    page = opened(trace)
    page.one('button[data-pick="d2.1"]').click()
    assert page.fragment == "#pick=d2.1"
    page.hover("h1")
    assert float(page.text("#inspector code.full")) == float(trace.delta[2][0, 1])
    assert page.one("#inspector button.copy").text == "copy"
    page.press(ESCAPE)
    assert page.fragment == ""


def test_a_number_is_copied_with_every_digit(opened):
    trace = models.figure_1_trace()
    page = opened(trace)
    leave = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    page.driver.execute_cdp_cmd("Browser.grantPermissions", leave)
    page.open("#pick=d2.1")
    page.one("#inspector button.copy").click()
    page.until("document.querySelector('#inspector .copy').textContent === 'copied'")
    copied = page.js("return navigator.clipboard.readText()")
    assert float(copied) == float(trace.delta[2][0, 1])


def test_a_notebook_shows_the_page_in_its_frame(driver, tmp_path):
    trace = models.figure_1_trace()
    cell = f"<!doctype html><meta charset=utf-8>{trace._repr_html_()}"
    (tmp_path / "cell.html").write_text(cell, encoding="utf-8")
    page = Page(driver, tmp_path / "cell.html")
    driver.switch_to.frame(page.one("iframe"))
    check_cards(page, trace, 0)
    page.one("#forth").click()
    assert page.text("#stepper .say") == "Forward 1 of 3: LL"
    driver.switch_to.default_content()
    assert page.complaints() == []


def test_focus_opens_a_sum_as_the_pointer_does(opened):
    page = opened(models.figure_1_trace())
    page.js("document.querySelector('button[data-pick=\"z1.0\"]').focus()")
    page.press(TAB)
    assert page.one("#inspector").get_attribute("data-shows") == "d1.0"


@pytest.mark.parametrize("by", ["keys", "buttons"])
def test_stepping_goes_forward_and_back(opened, by):
    trace = models.figure_1_trace()
    page = opened(trace)

    def step():
        page.press(RIGHT) if by == "keys" else page.one("#forth").click()

    seen = []
    for _ in range(6):
        step()
        seen.append((page.text("#stepper .say"), page.texts(".box.on .short")))
    names = ["LL", "LSM", "NLL"]
    assert seen == [
        *((f"Forward {n} of 3: {name}", [name]) for n, name in enumerate(names, 1)),
        *((f"Back {n} of 3: {name}", [name]) for n, name in enumerate(reversed(names), 1)),
    ]
    assert page.fragment == "#step=6" and not page.one("#forth").is_enabled()
    page.press(LEFT)
    assert page.fragment == "#step=5"
    # δ¹ is not reached yet, δ² is
    assert page.all('button[data-pick="d1.0"].later') and not page.all('[data-pick="d2.0"].later')


def test_rules_have_this_rows_numbers(opened):
    page = opened(models.figure_1_trace())
    page.open("#step=1&unit=1")
    assert "0.5·0.3+2·0.7+0.1=1.65" in page.text("#rule .numbers")
    page.open("#step=5&unit=0")
    # the sum over both successors: δ³ = (−1, 0) through 1 − π and −π
    assert re.search(
        r"\(−1\)·\(1−e\(−2\.171\)\)\+0·\(0−e.*\)=−0\.8859", page.text("#rule .numbers")
    )
    assert len(page.all("#rule math")) >= 4


def test_another_row_and_a_second_beside_it(opened):
    trace = models.figure_1_trace()
    page = opened(trace)
    page.one("#next").click()
    page.choose("#versus", 7)
    assert page.fragment == "#row=1&versus=7"
    check_cards(page, trace, 1)
    beside = page.texts('button[data-pick="d2.0"] .versus')
    assert close_as_shown(beside[0], float(trace.delta[2][7, 0]))
    page.one("#worst").click()
    assert page.fragment == f"#row={int(trace.z[-1].argmax())}&versus=7"


def test_the_address_holds_what_is_seen(opened):
    trace = models.figure_1_trace()
    page = opened(trace)
    fragment = "#row=5&versus=2&step=4&pick=p1.bias.1&unit=1&theme=dark"
    page.open(fragment)
    assert page.fragment == fragment
    assert page.one("#row").get_attribute("value") == "5"
    assert page.text("#stepper .say") == "Back 1 of 3: NLL"
    assert page.one("#inspector").get_attribute("data-shows") == "p1.bias.1"
    assert page.js("return document.documentElement.dataset.theme") == "dark"
    check_cards(page, trace, 5)
    page.js("location.hash = 'row=6'")
    page.until("document.getElementById('row').value === '6'")


def test_an_address_of_nonsense_opens_the_page(opened):
    page = opened(models.figure_1_trace())
    for fragment in ("#row=999&versus=-1&step=77", "#pick=d9.9&open=7:1;x", "#pick=p1.weight.99"):
        page.open(fragment)
        assert page.all(".value")


def test_paths_are_those_of_the_trace(opened):
    trace = models.figure_1_trace()
    page = opened(trace)
    page.open("#pick=p1.weight.0&row=4")
    paths = trace.paths("0.weight", (0, 0), 4)
    products = [read(text) for text in page.texts("#paths .list .product")]
    expected = [path.product for path in paths.paths]
    np.testing.assert_allclose(sorted(products), sorted(expected), rtol=5e-4)
    assert close_as_shown(page.text("#paths .total"), paths.total)
    counts = page.text("#counts")
    assert counts.startswith("4 paths. Each multiplied out by itself: 8 multiplications.")
    assert counts.endswith("computes each δ once: 6.")
    # the same factor has the same colour, and different ones have different colours
    colours = page.js(
        "return [...document.querySelectorAll('#paths .factor')].map((e) =>"
        "[e.dataset.key, getComputedStyle(e).backgroundColor])"
    )
    of_key = {}
    for key, colour in colours:
        assert of_key.setdefault(key, colour) == colour
    marked = [colour for colour in of_key.values() if colour != "rgba(0, 0, 0, 0)"]
    assert len(marked) == 4 == len(set(marked))


def test_paths_of_a_wide_network_are_counted_only(opened):
    trace = models.wide_trace(4)
    page = opened(trace)
    counts = trace.count_paths("0.weight")
    digits = re.sub(r"[^\d ]", "", page.text("#counts"))
    assert [int(part) for part in digits.split()][:3] == [
        counts.n_paths, counts.multiplications, counts.recursion_multiplications,
    ]  # fmt: skip
    assert not page.all("#paths .list")


def test_rows_are_ranked_by_their_own_gradients(opened):
    trace = models.figure_1_trace()
    net = models.figure_1()
    page = opened(trace)
    page.open("#pick=p1.weight.3")
    theta = net.flatten({f"0.{name}": trace.params[0][name] for name in ("weight", "bias")})
    pulls = net.gradients_per_row(theta, trace.z[1], trace.y)[:, 3]
    order = np.argsort(-np.abs(pulls))[:8]
    assert [int(text) for text in page.texts("#rows th button")] == order.tolist()
    shown = page.texts("#rows .pulls td:nth-child(4)")
    assert all(close_as_shown(text, pulls[row]) for text, row in zip(shown, order, strict=True))
    assert close_as_shown(
        page.text("#rows .total").rpartition(": ")[2].rstrip("."), float(pulls.sum())
    )
    assert "What is left here" in page.text("#rows .balance")
    page.all("#rows th button")[1].click()
    assert page.fragment == f"#row={order[1]}&pick=p1.weight.3"


def test_at_an_unpenalised_optimum_gradients_sum_to_zero(opened):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 2))
    y = np.where(X[:, 0] + rng.normal(size=80) > 0, "yes", "no")
    page = opened(bp.LogisticRegression(C=np.inf).fit(X, y).trace(X, y))
    assert "The gradients sum to zero" in page.text("#rows .balance")
    penalised = bp.LogisticRegression(C=0.01).fit(X, y)
    page = opened(penalised.trace(X, y))
    assert "What is left here is what a penalty holds against" in page.text("#rows .balance")


def test_wide_levels_fold_into_maps_and_units_unfold(opened):
    trace = models.wide_trace(20)
    page = opened(trace)
    assert len(page.all(".fold")) == 3
    size = page.js("const c = document.querySelector('.fold canvas'); return [c.width, c.height]")
    assert size == [28, 28]
    check_cards(page, trace, 0)
    strongest = set(np.argsort(-np.abs(trace.delta[2][0]))[:3].tolist())
    ids = page.js(
        "return [...document.querySelectorAll('[data-unit^=\"2.\"]')].map(e => e.dataset.unit)"
    )
    assert {int(text.partition(".")[2]) for text in ids} == strongest
    # a pixel of the input, by pointer; a hidden unit, by keys
    page.js("arguments[0].scrollIntoView()", page.one(".fold canvas"))
    page.one(".fold canvas").click()
    middle = int(page.one("#inspector").get_attribute("data-shows").partition(".")[2])
    assert middle // 28 in (13, 14) and middle % 28 in (13, 14)
    assert page.all(f'[data-unit="1.{middle}"]') and f"open=1:{middle}" in page.fragment
    page.js("document.querySelectorAll('.fold')[1].querySelector('canvas').focus()")
    page.press(RIGHT)  # the first key goes to the strongest
    top = int(np.abs(trace.z[2][0]).argmax())
    assert page.one("#inspector").get_attribute("data-shows") == f"z2.{top}"
    page.press(RIGHT, ENTER)
    assert page.all(f'[data-unit="2.{top + 1}"]')
    check_cards(page, trace, 0)


def test_maps_of_a_second_row_stand_below(opened):
    page = opened(models.wide_trace(3))
    page.open("#versus=2")
    captions = page.texts(".fold figcaption")
    assert captions[:4] == ["z", "δ", "z, row 2", "δ, row 2"]


def test_a_long_sum_shows_the_largest_terms_and_opens(opened):
    trace = models.wide_trace(3)
    page = opened(trace)
    page.open("#pick=d1.5")
    assert len(page.texts("#inspector td.product")) == 10
    shown = [read(text) for text in page.texts("#inspector td.product, #inspector td.part")]
    assert sum(shown) == pytest.approx(float(trace.delta[1][0, 5]), abs=1e-3 * np.abs(shown).max())
    page.one("#inspector button.link").click()
    assert len(page.texts("#inspector td.product")) == 128
    assert close_as_shown(page.text("#inspector td.total"), float(trace.delta[1][0, 5]))


def test_a_joint_pair_says_where_a_half_overflows(opened):
    page = opened(models.overflowing_trace())
    assert "a half overflows float64" in page.text("main > .note")
    page.hover('button[data-pick="d2.0"]')
    assert page.text('button[data-pick="d2.0"] .num') == "1"
    assert "that of the joint rule" in page.text("#inspector .note")
    page.choose("#row", 1)
    assert page.texts("main > .note") == []


def test_names_are_the_users_and_stay_text(opened):
    page = opened(models.figure_1_trace(), feature_names=HOSTILE, class_names=HOSTILE)
    assert page.texts(".unit .name")[1] == HOSTILE[1]
    titles = "return [...document.querySelectorAll('.unit .who')].map((e) => e.title)"
    assert page.js(titles)[:2] == HOSTILE
    assert page.js("return window.broken ?? null") is None and not page.all("main b")
    for step in range(7):
        page.open(f"#step={step}&pick=d1.1")
        assert HOSTILE[1] in page.text("#inspector")


def test_long_names_are_cut_where_they_are_least_missed(opened):
    names = [f"annual household income in euros={level}" for level in ("low", "high")]
    page = opened(models.figure_1_trace(), feature_names=names)
    assert page.texts(".unit .name")[:2] == ["annual hous…in euros=low", "annual hous…n euros=high"]
    names_shown = "[...document.querySelectorAll('.unit .name')]"
    clipped = f"return {names_shown}.map((e) => e.scrollWidth > e.clientWidth)"
    assert not any(page.js(clipped))
    page.hover('.value[data-pick="d1.1"]')
    assert names[1] in page.text("#inspector")
    page = opened(
        models.figure_1_trace(), feature_names=["passengerClass=1st", "passengerClass=2nd"]
    )
    assert page.texts(".unit .name")[:2] == ["passengerClass=1st", "passengerClass=2nd"]
    assert not any(page.js(clipped))


@pytest.mark.parametrize("pixels", [375, 1440])
def test_numbers_of_every_length_stay_inside_their_boxes(opened, pixels):
    net = models.figure_1()
    weights = [-1.2345e-150, 2.3456e-150, -3.4567e-150, -4.5678e-150]
    X = [[1.2345e-155, -2.3456e-153], [-1.7654e-39, 3.4567e17]]
    trace = net.trace([*weights, 0.0, 0.0], X, [0, 1])
    page = opened(trace)
    page.width(pixels)
    page.open("#versus=1")
    assert "−2.346×10⁻¹⁵³" in page.texts(".num")
    outside = """
        return [...document.querySelectorAll('.num, .versus, .cell span')].filter((e) => {
          const text = document.createRange(), card = e.closest('.unit, .cell');
          text.selectNodeContents(e);
          const inner = text.getBoundingClientRect(), box = card.getBoundingClientRect();
          return inner.left < box.left + 3 || inner.right > box.right - 3;
        }).map((e) => e.textContent)"""
    assert page.js(outside) == []
    # columns move apart, they do not cover each other
    apart = """
        const columns = [...document.querySelectorAll('.column')];
        const boxes = columns.map((e) => e.getBoundingClientRect());
        return boxes.slice(1).every((box, at) => box.left - boxes[at].right >= 71)"""
    assert page.js(apart)


def test_tables_hold_every_number(opened):
    trace = models.residual_trace()
    page = opened(trace)
    for details in page.all("#tables details"):
        page.js("arguments[0].open = true", details)
    page.until("document.querySelectorAll('#tables table').length === 9")  # 8 levels, the checks
    for L in range(1, len(trace.z) + 1):
        texts = page.texts(f'#tables details[data-level="{L}"] td')
        expected = np.column_stack([trace.z[L][0], trace.delta[L][0]]).ravel()
        assert len(texts) == len(expected)
        assert all(close_as_shown(t, float(x)) for t, x in zip(texts, expected, strict=True))
    checks = page.texts("#tables .checks tbody tr")
    assert len(checks) == len(trace.z) - 1 and all("agree" in c or "1" in c for c in checks)


def test_badges_say_that_rules_were_checked(opened):
    page = opened(models.own_layer_trace())
    assert len(page.texts(".badge")) == 3
    assert all(text.startswith("✓ checked") for text in page.texts(".badge"))
    # the first and the last are the package's own, which the derivation ledger knows
    assert page.texts(".badge .derived") == ["✓ derived", "✓ derived"]
    page.js("document.querySelector('#tables .checks').closest('details').open = true")
    told = page.texts("#tables .checks tbody td:last-child")
    assert "independent derivation" in told[0] and told[1] == "none: a sum, or a rule of your own"


@pytest.mark.parametrize("make", [models.figure_1_trace, models.residual_trace, few_wide_rows])
def test_nothing_overflows_the_window(opened, make):
    page = opened(make(), feature_names=None)
    for pixels in (375, 600, 768, 1024, 1440):
        for fragment in ("", "#step=2&pick=d1.0", "#step=5&pick=p1.weight.1&versus=1"):
            page.width(pixels)
            page.open(fragment)
            over = page.js("return document.documentElement.scrollWidth - innerWidth")
            assert over <= 0, (pixels, fragment)


def test_everything_that_can_be_operated_has_a_name(opened):
    page = opened(models.wide_trace(3))
    page.driver.execute_cdp_cmd("Accessibility.enable", {})
    tree = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    operable = {"button", "link", "combobox", "slider", "spinbutton", "img", "image", "region"}
    found = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in tree
        if not node["ignored"] and node["role"]["value"] in operable
    ]
    assert len(found) > 50
    assert [role for role, name in found if not name.strip()] == []


def test_light_and_dark(opened):
    page = opened(models.figure_1_trace())
    paper = "return getComputedStyle(document.body).backgroundColor"
    light = page.js(paper)
    page.one("#theme").click()
    assert page.fragment == "#theme=dark" and page.js(paper) != light
    prefer = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", prefer)
    page.open()
    assert page.js(paper) != light
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_paper_has_the_numbers_and_no_controls(opened):
    page = opened(models.figure_1_trace())
    ready = "dispatchEvent(new Event('beforeprint')); return document.querySelectorAll('.level tr')"
    assert len(page.js(ready)) == 4 + 7  # heads and units, before anything is laid out
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert not page.one("#controls").is_displayed()
        assert page.one("#tables table.level").is_displayed()
        assert page.one(".net").is_displayed()
    finally:
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_training_is_scrubbed_by_hand(opened):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), np.arange(40) % 2
    recorder = bp.Recorder(X, y)
    model = bp.MLPClassifier((6,), max_iter=4, random_state=0, callbacks=[recorder])
    with pytest.warns(UserWarning):  # four epochs are few
        model.fit(X, y)
    page = opened(model.trace(X, y), training=recorder)

    def check(epoch):
        record = recorder.epochs[epoch - 1]
        assert page.text("#training output") == f"epoch {epoch}"
        cells = page.texts("#training table.epoch tbody tr:first-child td")
        expected = (record["delta"][0], record["weights"][0], record["gradients"][0])
        assert all(close_as_shown(t, x) for t, x in zip(cells, expected, strict=False))
        told = re.search(r"loss ([^,]+),", page.text("#training .caption"))[1]
        assert close_as_shown(told, record["loss"])

    check(4)
    page.js("document.getElementById('epoch').focus()")
    page.press(LEFT, LEFT)
    check(2)
    assert page.fragment == "#epoch=2"
    page.open("#epoch=3")
    check(3)


def test_a_page_of_training_alone(driver, tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), np.arange(40) % 2
    recorder = bp.Recorder(X, y)
    with pytest.warns(UserWarning):
        bp.MLPClassifier((6,), max_iter=4, random_state=0, callbacks=[recorder]).fit(X, y)
    recorder.to_html(tmp_path / "training.html")
    page = Page(driver, tmp_path / "training.html")
    assert len(page.all(".chart")) == 5
    assert page.complaints() == []
