// The page put together, and what keys and pointer do.

let net = null;

function summary() {
  if (!trace) return "";
  const rows = trace.rows.length === given.rows.total
    ? counted(given.rows.total, "row", "rows")
    : `${counted(trace.rows.length, "row", "rows")} of ${given.rows.total}`;
  return `${rows} · cost C = ${shown(given.cost)}, summed over ${given.rows.total === 1 ? "it" : "all rows"} · ${given.dtype}`;
}

function rowOption(at) {
  return `row ${called(trace.rows[at])} · y = ${trace.labels[at]} · loss ${shown(trace.loss(at))}`;
}

// Made once: thousands of rows would be slow to list at every step.
const lists = {};

function rowSelect(id, chosen, first, onchange) {
  lists[id] ??= h("select", { id, onchange: (event) => onchange(event.target.value === "" ? null : Number(event.target.value)) },
    first && h("option", { value: "" }, first),
    trace.rows.map((number, at) => h("option", { value: number }, rowOption(at))));
  lists[id].value = chosen ?? "";
  return lists[id];
}

function controls() {
  const at = slot();
  const worst = trace.rows.reduce((top, _, place) => (trace.loss(place) > trace.loss(top) ? place : top), 0);
  const go = (place) => change({ row: trace.rows[place] });
  return h("div", { class: "bar", id: "controls" },
    h("div", { class: "group" },
      h("label", { for: "row" }, "Row"),
      rowSelect("row", state.row, null, (row) => change({ row })),
      h("button", { type: "button", id: "previous", "aria-label": "previous row", disabled: at === 0, onclick: () => go(at - 1) }, "‹"),
      h("button", { type: "button", id: "next", "aria-label": "next row", disabled: at === trace.rows.length - 1, onclick: () => go(at + 1) }, "›"),
      trace.rows.length > 1 && h("button", { type: "button", id: "worst", onclick: () => go(worst) }, "largest loss")),
    trace.rows.length > 1 && h("div", { class: "group" },
      h("label", { for: "versus" }, "beside"),
      rowSelect("versus", state.versus, "no other row", (versus) => change({ versus }))));
}

function stepper() {
  const steps = trace.last - 1;
  const way = going();
  const said = way
    ? `${way.forward ? "Forward" : "Back"} ${way.forward ? way.L : steps + 1 - way.L} of ${steps}: ${trace.step(way.L).short}`
    : "The whole pass";
  return h("div", { class: "bar stepper", id: "stepper" },
    h("div", { class: "group" },
      h("button", { type: "button", id: "back", disabled: state.step === 0, onclick: () => move(-1), "aria-keyshortcuts": "ArrowLeft" }, "← step"),
      h("button", { type: "button", id: "forth", disabled: state.step === 2 * steps, onclick: () => move(1), "aria-keyshortcuts": "ArrowRight" }, "step →"),
      h("button", { type: "button", id: "whole", disabled: state.step === 0, onclick: () => change({ step: 0, unit: null }) }, "all at once"),
      h("span", { class: "say", "aria-live": "polite" }, said)),
    h("div", { class: "legend", "aria-hidden": "true" },
      h("span", {}, "negative", h("span", { class: "scale" }), "positive"),
      h("span", {}, "arrow: weight or ∂z/∂z")));
}

function move(by) {
  const step = Math.min(2 * (trace.last - 1), Math.max(0, state.step + by));
  if (step !== state.step) change({ step, unit: null });
}

// What the pointer or the focus is on: opens in the inspector, lights up in the drawing.
function look(pick) {
  if (pick === looked) return;
  looked = pick;
  const panel = document.getElementById("inspector");
  if (!panel) return;
  fillInspector(panel);
  light(net, looked ?? state.pick);
}

// The drawing may be wider than the window: a step brings its layer into view.
function showLayer(stage) {
  const box = stage.querySelector(".box.on");
  if (!box) return;
  const [layer, view] = [box.getBoundingClientRect(), stage.getBoundingClientRect()];
  if (layer.left < view.left + 80 || layer.right > view.right - 80) {
    stage.scrollLeft += layer.left + layer.width / 2 - view.left - view.width / 2;
  }
}

function focusKey() {
  const focused = document.activeElement;
  if (!focused || focused === document.body) return null;
  if (focused.id) return `#${CSS.escape(focused.id)}`;
  const { pick, layer } = focused.dataset;
  if (pick) return `button[data-pick="${pick}"]`;
  return layer ? `button[data-layer="${layer}"]` : null;
}

function draw() {
  document.documentElement.dataset.theme = state.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const main = document.getElementById("main");
  const focused = focusKey();
  const scrolled = document.querySelector(".stage")?.scrollLeft ?? 0;
  const opened = [...document.querySelectorAll("#tables details")].map((details) => details.open);
  document.getElementById("summary").textContent = summary();
  if (!trace) {
    main.replaceChildren(trainingPanel());
    return;
  }
  net = drawNetwork();
  const stage = h("div", { class: "stage", tabindex: 0, role: "region", "aria-label": "drawing of the network; scrolls sideways" }, net);
  const notes = notesOfRow(state.row).map((note) => h("p", { class: "note" }, note));
  main.replaceChildren(...[
    controls(), stepper(), stage, ...notes,
    // The inspector stands beside the rest, so that what it shows never moves what is pointed at.
    h("div", { class: "panels" },
      h("div", { class: "stack" }, [rulePanel(), parametersPanel(), pathsPanel(), rowsPanel()].filter(Boolean)),
      inspectorPanel()),
    trainingPanel(), tablesPanel(),
  ].filter(Boolean));
  spread(net);
  stage.scrollLeft = scrolled;
  showLayer(stage);
  document.querySelectorAll("#tables details").forEach((details, place) => { details.open = opened[place] ?? false; });
  drawWires(net);
  for (const pinned of document.querySelectorAll(`button[data-pick="${state.pick}"]`)) {
    pinned.classList.add("pinned");
    pinned.setAttribute("aria-pressed", "true");
  }
  if (focused) document.querySelector(focused)?.focus({ preventScroll: true });
}

const picked = (event) => event.target.closest?.("[data-pick]")?.dataset.pick ?? null;

document.addEventListener("pointerover", (event) => {
  if (event.target.closest?.("canvas")) return;
  const pick = picked(event);
  if (pick) look(pick);
  else if (!event.target.closest?.("#inspector")) look(null);
});
document.addEventListener("focusin", (event) => { if (picked(event)) look(picked(event)); });
document.addEventListener("focusout", (event) => { if (picked(event)) look(null); });
document.addEventListener("click", (event) => {
  const pick = picked(event);
  if (pick) change({ pick: state.pick === pick ? null : pick, unit: null });
});
document.addEventListener("keydown", (event) => {
  if (!trace || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input, select, textarea, canvas")) return;
  const todo = {
    ArrowRight: () => move(1),
    ArrowLeft: () => move(-1),
    Home: () => change({ step: 0, unit: null }),
    Escape: () => { looked = null; change({ pick: null }); },
  }[event.key];
  if (!todo) return;
  event.preventDefault();
  todo();
});
document.getElementById("theme").addEventListener("click", () =>
  change({ theme: document.documentElement.dataset.theme === "dark" ? "light" : "dark" }));
addEventListener("hashchange", () => { readAddress(); draw(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
new ResizeObserver(() => net && drawWires(net)).observe(document.getElementById("main"));

redraw = draw;
readAddress();
draw();
document.fonts?.ready.then(() => net && drawWires(net));
