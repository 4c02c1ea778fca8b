// Weights and biases with their gradients: a table where small, images where large.

const MOST_CELLS = 160;

// The step whose parameters are shown: of what is picked, of the current step, else the first.
function shownStep() {
  const steps = trace.steps.map((_, place) => place + 1).filter((L) => trace.step(L).parameters.length);
  const asked = pickOf(state.pick);
  const wanted = [asked?.kind === "p" ? asked.L : null, going()?.L, asked && asked.L - 1, ...steps];
  return wanted.find((L) => steps.includes(L)) ?? null;
}

function parametersPanel() {
  const L = shownStep();
  if (L === null) return null;
  const step = trace.step(L);
  const panel = h("section", { class: "panel full", id: "parameters" }, h("h2", {}, `Parameters of ${step.name}`));
  const choices = trace.steps.map((_, place) => place + 1).filter((M) => trace.step(M).parameters.length);
  if (choices.length > 1) {
    panel.append(h("div", { class: "chips", role: "group", "aria-label": "layer" }, choices.map((M) =>
      h("button", { type: "button", "aria-pressed": String(M === L), onclick: () => change({ pick: `p${M}.${trace.step(M).parameters[0].name}.0` }) }, `${trace.step(M).name} from level ${M}`))));
  }
  panel.append(h("p", { class: "lead" }, "Each cell: the parameter, and below it its gradient from this row, δ · z."));
  if (!step.linear) panel.append(ownParameters(L));
  else if (trace.width(L) * trace.width(L + 1) <= MOST_CELLS) panel.append(weightTable(L));
  else panel.append(weightImages(L));
  return panel;
}

function cell(L, name, place) {
  const value = trace.parameter(L, name).value[place];
  const pull = trace.pull(L, name, place, slot());
  return h("button", { type: "button", class: "cell", "data-pick": `p${L}.${name}.${place}`,
    "aria-label": `${parameterWords(L, name, place)}: ${shown(value)}${pull ? `, gradient ${shown(pull.product)}` : ""}` },
  h("span", { class: "w" }, shown(value)), pull && h("span", { class: "g" }, shown(pull.product)));
}

function weightTable(L) {
  const bias = trace.parameter(L, "bias");
  const inputs = Array.from({ length: trace.width(L) }, (_, i) => i);
  const outputs = Array.from({ length: trace.width(L + 1) }, (_, j) => j);
  // The longer side goes down, so that a narrow window scrolls little.
  const tall = inputs.length > 6;
  const weight = (j, i) => h("td", {}, cell(L, "weight", j * inputs.length + i));
  const title = (M, unit, scope) => h("th", { scope }, unitLabel(M, unit));
  const rows = tall
    ? [...inputs.map((i) => h("tr", {}, title(L, i, "row"), outputs.map((j) => weight(j, i)))),
      bias && h("tr", {}, h("th", { scope: "row" }, "bias (input 1)"), outputs.map((j) => h("td", {}, cell(L, "bias", j))))]
    : outputs.map((j) => h("tr", {}, title(L + 1, j, "row"), inputs.map((i) => weight(j, i)), bias && h("td", {}, cell(L, "bias", j))));
  const heads = tall ? outputs.map((j) => title(L + 1, j, "col")) : [...inputs.map((i) => title(L, i, "col")), bias && h("th", { scope: "col" }, "bias (input 1)")];
  return h("div", { class: "scroller" }, h("table", { class: "grid" },
    h("thead", {}, h("tr", {}, h("th", {}, tall ? "from ↓ to →" : "to ↓ from →"), heads)), h("tbody", {}, rows)));
}

// Of a wide layer: the weights into one unit as an image, beside their gradients.
function weightImages(L) {
  const width = trace.width(L);
  const asked = pickOf(state.pick);
  let j = strongest(levelValues("delta", L + 1, slot()), 1)[0];
  if (asked?.kind === "p" && asked.L === L) j = trace.pull(L, asked.name, asked.place, slot()).j;
  if ((asked?.kind === "d" || asked?.kind === "z") && asked.L === L + 1) j = asked.i;
  const values = trace.parameter(L, "weight").value.subarray(j * width, (j + 1) * width);
  const delta = trace.delta(L + 1, slot(), j);
  const pulls = Array.from(levelValues("z", L, slot()), (z) => delta * z);
  const point = (place) => look(place === null ? null : `p${L}.weight.${j * width + place}`);
  const choose = (place) => change({ pick: `p${L}.weight.${j * width + place}` });
  const number = h("input", { type: "number", min: 1, max: trace.width(L + 1), value: j + 1, id: "into",
    onchange: (event) => {
      const unit = Math.min(trace.width(L + 1), Math.max(1, Math.round(event.target.value) || 1)) - 1;
      change({ pick: `p${L}.weight.${unit * width}` });
    } });
  const top = strongest(pulls, 8);
  const bias = trace.parameter(L, "bias");
  return h("div", {},
    h("p", { class: "bar" }, h("span", { class: "group" }, h("label", { for: "into" }, "weights into unit"), number, h("span", { class: "soft" }, `of ${trace.width(L + 1)}, δ = ${shown(delta)}`))),
    h("div", { class: "images" },
      h("figure", {}, heatMap(values, `weights into unit ${j + 1}`, point, choose), h("figcaption", {}, "weights")),
      h("figure", {}, heatMap(pulls, `gradients into unit ${j + 1}`, point, choose), h("figcaption", { class: "d" }, `gradients of row ${called(state.row)}`)),
      h("div", { class: "scroller" }, h("table", { class: "grid" },
        h("thead", {}, h("tr", {}, h("th", {}, "strongest gradients"), h("th", {}))),
        h("tbody", {}, top.map((i) => h("tr", {}, h("th", { scope: "row" }, unitLabel(L, i)), h("td", {}, cell(L, "weight", j * width + i)))),
          bias && h("tr", {}, h("th", { scope: "row" }, "bias (input 1)"), h("td", {}, cell(L, "bias", j))))))));
}

function ownParameters(L) {
  return h("div", { class: "scroller" }, trace.step(L).parameters.map((parameter) => {
    const places = strongest(parameter.gradient, 48).sort((a, b) => a - b);
    return h("table", { class: "grid" }, h("tbody", {}, places.map((place) =>
      h("tr", {}, h("th", { scope: "row" }, parameterWords(L, parameter.name, place)), h("td", {}, cell(L, parameter.name, place))))));
  }));
}

// The parameter that paths and rows are about: the one picked; else θ₁ as in the note, or in a wide
// layer, where that may be a pixel that never lights up, the one with the largest gradient.
function shownParameter() {
  const asked = pickOf(state.pick);
  if (asked?.kind === "p") return asked;
  const L = shownStep();
  if (L === null) return null;
  const name = trace.step(L).parameters[0].name;
  return { kind: "p", L, name, place: folded(L) || !trace.step(L).linear ? strongest(trace.parameter(L, name).gradient, 1)[0] : 0 };
}
