// A training, epoch by epoch: cost, norms of δ, weights and gradients, dead units.

const LINES = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#7a5195", "#4a4a4a"];

const training = given.training && (() => {
  const curves = (list) => list.map((curve) => curve && unpacked(curve));
  const t = given.training;
  return { ...t, loss: unpacked(t.loss), rate: unpacked(t.rate), weights: curves(t.weights), gradients: curves(t.gradients), delta: curves(t.delta), dead: curves(t.dead) };
})();

function trainingPanel() {
  if (!training) return null;
  const n = training.epochs.length;
  const at = Math.max(0, training.epochs.indexOf(state.epoch ?? training.epochs[n - 1]));
  const panel = h("section", { class: "panel full", id: "training" },
    h("h2", {}, `Training: ${counted(n, "epoch", "epochs")}`),
    h("p", { class: "lead" }, training.rows
      ? `Norms of δ are per row, those of gradients of the mean loss, over ${counted(training.rows, "row", "rows")} looked at after every epoch. A unit is dead where its derivative is 0 in all of them.`
      : "Recorded without rows, so there are no δ and no gradients: give Recorder(X, y) a few."));
  const readout = h("div", { class: "scroller", "aria-live": "polite" });
  const charts = h("div", { class: "charts" });
  const name = (place) => training.layers[place];
  const series = (list, label) => list.map((values, place) => ({ values, label: label(place), place })).filter((s) => s.values);
  const level = (place) => (place === 0 ? "input" : `level ${place + 1}`);
  const drawn = [
    chart("cost: mean loss per row", [{ values: training.loss, label: "loss", place: 0 }], false),
    training.score.every((x) => x !== null) && chart("validation score", [{ values: training.score, label: "score", place: 2 }], false),
    chart("size of δ", series(training.delta, level), true),
    chart("size of weights and biases", series(training.weights, name), true),
    chart("size of gradients", series(training.gradients, name), true),
    chart("share of dead units", series(training.dead, name), false, 1),
  ].filter(Boolean);
  charts.append(...drawn.map((one) => one.element));
  const show = (place) => {
    drawn.forEach((one) => one.mark(place));
    readout.replaceChildren(epochTable(place));
  };
  const slider = h("input", { type: "range", min: 0, max: n - 1, value: at, id: "epoch", "aria-label": "epoch",
    oninput: (event) => {
      const place = Number(event.target.value);
      state.epoch = training.epochs[place];
      writeAddress();
      said.textContent = `epoch ${training.epochs[place]}`;
      slider.setAttribute("aria-valuetext", said.textContent);
      show(place);
    } });
  const said = h("output", { for: "epoch" }, `epoch ${training.epochs[at]}`);
  panel.append(h("div", { class: "slider" }, slider, said), charts, readout);
  show(at);
  return panel;
}

function epochTable(at) {
  const number = (values) => (values ? shown(values[at]) : "");
  const score = training.score[at];
  return h("div", {},
    h("p", { class: "caption" }, `epoch ${training.epochs[at]}: loss ${shown(training.loss[at])}, learning rate ${shown(training.rate[at])}${score === null ? "" : `, validation score ${shown(score)}`}`),
    h("table", { class: "epoch" },
      h("thead", {}, h("tr", {}, ["layer", "δ that it sends back", "weights", "gradient", "dead"].map((head, place) => h("th", { class: place ? "n" : "" }, head)))),
      h("tbody", {}, training.weights.map((weights, place) => h("tr", {},
        h("th", { scope: "row" }, training.layers[place]), h("td", { class: "n d" }, number(training.delta[place])),
        h("td", { class: "n" }, number(weights)), h("td", { class: "n" }, number(training.gradients[place])),
        h("td", { class: "n" }, training.dead[place] ? `${shown(100 * training.dead[place][at])} %` : ""))))));
}

// One chart; lines end with their names. log: a logarithmic axis where all is positive.
function chart(title, lines, log, top = null) {
  if (!lines.length) return null;
  const W = 360, H = 190, left = 46, right = 92, bottom = 24, head = 10;
  const every = lines.flatMap((line) => Array.from(line.values)).filter(Number.isFinite);
  const logarithmic = log && every.some((x) => x > 0);
  const low = logarithmic ? Math.min(...every.filter((x) => x > 0)) : Math.min(0, ...every);
  const high = Math.max(top ?? 0, ...every, low * 1.0001 + 1e-12);
  const scale = (x) => (logarithmic ? Math.log10(Math.max(x, low)) : x);
  const [a, b] = [scale(low), scale(high)];
  const n = training.epochs.length;
  const px = (place) => left + (n > 1 ? place / (n - 1) : 0.5) * (W - left - right);
  const py = (x) => H - bottom - ((scale(x) - a) / (b - a || 1)) * (H - bottom - head);
  const figure = h("figure", { class: "chart", style: "margin:0" }, h("h3", {}, title));
  const box = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `${title} over ${n} epochs` }, figure);
  const text = (x, y, words, anchor = "start", fill = null) => {
    const element = svg("text", { x, y, "text-anchor": anchor }, box);
    if (fill) element.style.fill = fill;
    element.textContent = words;
  };
  svg("path", { d: `M${left} ${head}V${H - bottom}H${W - right}`, fill: "none", stroke: "var(--line)" }, box);
  text(left - 6, H - bottom + 3, shown(Number(low.toPrecision(2))), "end");
  text(left - 6, head + 8, shown(Number(high.toPrecision(2))), "end");
  text(left, H - 7, String(training.epochs[0]));
  text(W - right, H - 7, `epoch ${training.epochs[n - 1]}`, "end");
  const ends = lines.map((line) => ({ line, y: py(line.values[n - 1]) + 4 })).sort((p, q) => p.y - q.y);
  ends.forEach((end, place) => { if (place) end.y = Math.max(end.y, ends[place - 1].y + 12); });
  for (const { line, y } of ends) {
    const hue = LINES[line.place % LINES.length];
    const d = Array.from(line.values, (x, place) => `${place ? "L" : "M"}${px(place).toFixed(1)} ${py(x).toFixed(1)}`).join("");
    svg("path", { d, fill: "none", stroke: hue, "stroke-width": 1.8, "stroke-linejoin": "round" }, box);
    text(W - right + 7, y, line.label.length > 16 ? `${line.label.slice(0, 15)}…` : line.label, "start", hue);
  }
  const marker = svg("path", { fill: "none", stroke: "var(--lit-line)", "stroke-width": 1.5 }, box);
  return { element: figure, mark: (place) => marker.setAttribute("d", `M${px(place)} ${head}V${H - bottom}`) };
}
