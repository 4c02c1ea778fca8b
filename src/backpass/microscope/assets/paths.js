// The chain rule written out over every path, as on page 3 of the note, beside the recursion's cost.

const MOST_PATHS = 64;

// [{units: [[level, unit], ...], factors: [{key, symbol, x}, ...], product}] from a parameter to the cost.
function allPaths({ L, name, place }) {
  const width = trace.width(L);
  const j = name === "bias" ? place : Math.floor(place / width);
  const z = name === "bias" ? 1 : trace.z(L, slot(), place % width);
  const sign = parameterSymbol(L, name, place);
  const found = [];
  const walk = (level, unit, factors) => {
    if (level === trace.last) {
      found.push({ factors, product: factors.reduce((product, factor) => product * factor.x, 1) });
      return;
    }
    const step = trace.step(level);
    const onward = (to, next, x) => walk(to, next, [...factors, { key: `${level}.${unit}>${to}.${next}`, symbol: frac(mo("∂") + zSymbol(to, next), mo("∂") + zSymbol(level, unit)), x }]);
    if (step.jacobian.form === "identity") onward(level + 1, unit, 1);
    else for (let next = 0; next < trace.width(level + 1); next++) onward(level + 1, next, trace.slope(level, slot(), next, unit));
    for (const to of step.feeds) onward(to, unit, 1);
  };
  for (let unit = 0; unit < trace.width(L + 1); unit++) {
    walk(L + 1, unit, [{ key: `${L + 1}.${unit}`, symbol: frac(mo("∂") + zSymbol(L + 1, unit), mo("∂") + sign), x: unit === j ? z : 0 }]);
  }
  return found;
}

// Factors that stand in more than one path get a colour each, in the order in which they appear.
function repeated(paths) {
  const times = new Map();
  for (const path of paths) for (const { key } of path.factors) times.set(key, (times.get(key) ?? 0) + 1);
  const keys = [...times.keys()].filter((key) => times.get(key) > 1);
  return new Map(keys.map((key, place) => [key, { hue: Math.round((place * 137.5 + 20) % 360), times: times.get(key) }]));
}

function pathsPanel() {
  const asked = shownParameter();
  if (!asked) return null;
  const { L, name, place } = asked;
  const parameter = trace.parameter(L, name);
  const panel = h("section", { class: "panel full", id: "paths" },
    h("h2", {}, "All paths from ", symbol(parameterSymbol(L, name, place)), " to the cost"));
  const count = h("p", { class: "lead", id: "counts" },
    `${grouped(parameter.paths)} ${parameter.paths === "1" ? "path" : "paths"}. Each multiplied out by itself: ${grouped(parameter.multiplications)} multiplications. The recursion, which computes each δ once: ${grouped(parameter.recursion)}.`);
  panel.append(count);
  const small = Number(parameter.paths) <= MOST_PATHS && trace.step(L).linear && trace.steps.every((step) => step.jacobian.form !== "unknown");
  if (!small) {
    panel.append(h("p", { class: "small soft" }, trace.step(L).linear
      ? `Too many to write out; the page does so up to ${MOST_PATHS}.`
      : "Paths are written out for the parameters of linear layers."));
    return panel;
  }
  const paths = allPaths(asked);
  const colours = repeated(paths);
  const dark = document.documentElement.dataset.theme === "dark";
  const tint = (key) => (colours.has(key) ? `background:hsl(${colours.get(key).hue} ${dark ? "45% 26%" : "75% 88%"})` : "");
  const marked = (factor, inner, size = "") =>
    `<mpadded class="factor" data-key="${factor.key}" style="${tint(factor.key)}"${size}><mspace width="2px"></mspace>${inner}<mspace width="2px"></mspace></mpadded>`;
  const line = ' height="0.95em" depth="0.3em"'; // a digit alone would have a ground as low as itself
  const list = h("div", { class: "list" }, paths.map((path) => {
    const backwards = [...path.factors].reverse(); // the note writes the cost's factor first
    const symbols = backwards.map((factor) => marked(factor, factor.symbol)).join(mo("·"));
    const numbers = backwards.map((factor) => marked(factor, new Formula(L, slot()).number(factor.x), line)).join(mo("·"));
    return h("div", { class: `path${path.product === 0 ? " zero" : ""}` },
      formula(mrow(symbols, mo("="), numbers)), h("span", { class: "product" }, shown(path.product)));
  }));
  const total = paths.reduce((sum, path) => sum + path.product, 0);
  panel.append(
    h("p", { class: "small soft" }, colours.size ? "A factor with a colour stands in several paths: the same colour, the same factor, computed again. The recursion computes it once." : "No factor stands in two paths."),
    h("details", { open: paths.length <= 16 }, h("summary", {}, `${counted(paths.length, "path", "paths")} written out`), list,
      h("div", { class: "path" }, h("strong", {}, "sum of all paths"), h("strong", { class: "total" }, shown(total)))));
  return panel;
}
