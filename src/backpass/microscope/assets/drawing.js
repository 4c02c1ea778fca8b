// The drawing: layers as columns from left to right, as in the note's Figure 1, with arrows.

const SVG = "http://www.w3.org/2000/svg";

function svg(tag, attributes, parent) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent?.append(element);
  return element;
}

// The units of a level that have a card of their own, in order.
function unfolded(L) {
  if (!folded(L)) return Array.from({ length: trace.width(L) }, (_, i) => i);
  const chosen = new Set([...strongest(levelValues("delta", L, slot()), FIRST), ...(state.open[L] ?? [])]);
  return [...chosen].sort((a, b) => a - b);
}

// Which numbers the current step has not reached yet.
function reached(kind, L) {
  const way = going();
  if (!way) return true;
  if (kind === "z") return !way.forward || L <= way.L + 1;
  return !way.forward && L >= way.L;
}

function valueButton(kind, L, i, most) {
  const letter = kind === "z" ? "z" : "δ";
  const x = kind === "z" ? trace.z(L, slot(), i) : trace.delta(L, slot(), i);
  const heat = most > 0 && Number.isFinite(x) ? Math.round(42 * Math.sqrt(Math.min(1, Math.abs(x) / most))) : 0;
  const pick = `${kind === "z" ? "z" : "d"}${L}.${i}`;
  const name = trace.names(L)?.[i];
  const at = other();
  const second = at === null ? null : (kind === "z" ? trace.z(L, at, i) : trace.delta(L, at, i));
  return h("button", {
    type: "button",
    class: `value ${kind === "z" ? "z" : "delta"} ${x < 0 ? "neg" : "pos"}${reached(kind, L) ? "" : " later"}`,
    style: `--heat:${heat}%`,
    "data-pick": pick,
    "aria-label": `${spoken(letter, L, i)}${name ? `, ${name}` : ""}: ${shown(x)}${second === null ? "" : `, in row ${called(state.versus)} ${shown(second)}`}`,
  },
  h("span", { class: "tag", "aria-hidden": "true" }, letter),
  h("span", { class: "num" }, shown(x)),
  second !== null && h("span", { class: "versus" }, shown(second)));
}

function unitCard(L, i, most) {
  const name = trace.names(L)?.[i] ?? (L === trace.last ? `cost of row ${called(state.row)}` : null);
  return h("div", { class: "unit", "data-unit": `${L}.${i}` },
    h("div", { class: "who", title: name ?? "" }, symbol(zSymbol(L, i)), name && h("span", { class: "name" }, shortened(name))),
    valueButton("z", L, i, most.z),
    valueButton("delta", L, i, most.delta));
}

function foldCard(L) {
  const open = (i) => {
    const units = new Set(state.open[L] ?? []);
    units.add(i);
    change({ open: { ...state.open, [L]: [...units] }, pick: `d${L}.${i}` });
  };
  const map = (kind, letter, at, where = "") => h("figure", {},
    heatMap(levelValues(kind, L, at), `${letter} of level ${L}${where}`,
      (place) => look(place === null ? null : `${kind === "z" ? "z" : "d"}${L}.${place}`), open),
    h("figcaption", { class: kind === "z" ? "" : "d" }, letter, where));
  const maps = (at, where) => h("div", { class: trace.width(L) >= 196 ? "maps large" : "maps" },
    map("z", "z", at, where), map("delta", "δ", at, where));
  const [columns, lines] = shapeOf(trace.width(L));
  const count = unfolded(L).length;
  const more = () => change({ open: { ...state.open, [L]: strongest(levelValues("delta", L, slot()), count + 4) } });
  return h("div", { class: "fold" },
    maps(slot()), other() !== null && maps(other(), `, row ${called(state.versus)}`),
    h("div", { class: "strongest" },
      h("span", {}, `${trace.width(L)} units, ${columns} × ${lines}. Strongest δ below:`),
      h("span", {},
        h("button", { type: "button", class: "link", onclick: more }, "more"), " ",
        (state.open[L] ?? []).length > 0 &&
          h("button", { type: "button", class: "link", onclick: () => change({ open: { ...state.open, [L]: [] } }) }, "fewer"))));
}

function roleOf(L) {
  if (L === 1) return "input";
  if (L === trace.last) return "cost";
  return `${counted(trace.width(L), "unit", "units")}`;
}

function levelHead(L) {
  return h("div", { class: "head level", style: `grid-column:${2 * L - 1};grid-row:1` },
    h("span", { class: "symbol", html: math(`<msup>${mi("z")}${mn(L)}</msup>`) }),
    h("span", { class: "role" }, roleOf(L)));
}

function badgeOf(step) {
  const { passed, error, says } = step.check;
  const derived = step.derivation;
  const text = !passed ? "✗ rule fails" : error === null ? "rule not seen here" : `✓ checked${error === 0 ? "" : `, ${brief(error)}`}`;
  return h("span", { class: `badge${!passed || derived?.passed === false ? " bad" : error === null ? " unseen" : ""}`, title: says + (derived ? ` ${derived.says}` : "") },
    text, derived && h("span", { class: "derived" }, derived.passed ? "✓ derived" : "✗ not as derived"));
}

function layerHead(L) {
  const step = trace.step(L);
  const way = going();
  const on = way?.L === L;
  const toggle = () => {
    const forward = L;
    const backward = 2 * (trace.last - 1) + 1 - L;
    change({ step: state.step === forward ? backward : forward, unit: null });
  };
  return h("div", { class: "head", style: `grid-column:${2 * L};grid-row:1` },
    h("button", { type: "button", class: `box${on ? " on" : ""}`, "data-layer": L, "aria-pressed": String(Boolean(on)), onclick: toggle, title: step.says },
      h("span", { class: "short" }, step.short),
      h("span", { class: "full" }, step.name),
      badgeOf(step)),
    h("span", { class: "flow", "aria-hidden": "true" },
      h("span", { class: on && way.forward ? "now" : "" }, "z ⟶"),
      h("span", { class: on && !way.forward ? "now" : "" }, "⟵ δ")));
}

// Columns are as wide as their numbers and names; they stand as far apart as the window then allows.
function spread(net) {
  const tracks = getComputedStyle(net).gridTemplateColumns.split(" ").map(parseFloat);
  const columns = tracks.reduce((sum, width, at) => sum + (at % 2 ? 0 : width), 0);
  const room = document.getElementById("main").clientWidth - 96 - columns;
  net.style.setProperty("--between", `${Math.round(Math.max(72, Math.min(132, room / (trace.last - 1))))}px`);
}

function drawNetwork() {
  const net = h("div", { class: "net", style: `grid-template-columns:${Array.from({ length: trace.last }, () => "max-content").join(" var(--between, 72px) ")}` });
  for (let L = 1; L <= trace.last; L++) {
    const most = {
      z: levelValues("z", L, slot()).reduce((top, x) => (Number.isFinite(x) ? Math.max(top, Math.abs(x)) : top), 0),
      delta: levelValues("delta", L, slot()).reduce((top, x) => Math.max(top, Math.abs(x)), 0),
    };
    const column = h("div", { class: `column${folded(L) ? " wide" : ""}`, style: `grid-column:${2 * L - 1};grid-row:2`, role: "group", "aria-label": `level ${L}, ${roleOf(L)}` });
    if (folded(L)) column.append(foldCard(L));
    for (const i of unfolded(L)) column.append(unitCard(L, i, most));
    if (L < trace.last && trace.step(L).linear && trace.parameter(L, "bias")) {
      column.append(h("div", { class: "unit one", "data-one": L, title: "The bias is the weight of an input that is always 1 (Eq. 1)." }, "1"));
    }
    net.append(levelHead(L), column);
    if (L < trace.last) net.append(layerHead(L));
  }
  net.prepend(svg("svg", { class: "wires", "aria-hidden": "true" }));
  return net;
}

// Arrows are drawn once the cards have their places.
function drawWires(net) {
  const wires = net.querySelector(".wires");
  wires.replaceChildren();
  const origin = net.getBoundingClientRect();
  if (!origin.width) return;
  const boxOf = (element) => {
    const box = element.getBoundingClientRect();
    return { left: box.left - origin.left, right: box.right - origin.left, y: box.top - origin.top + box.height / 2, top: box.top - origin.top, bottom: box.bottom - origin.top };
  };
  const cards = new Map([...net.querySelectorAll("[data-unit]")].map((card) => [card.dataset.unit, boxOf(card)]));
  for (let L = 1; L < trace.last; L++) {
    const step = trace.step(L);
    const from = unfolded(L), to = unfolded(L + 1);
    if (folded(L) || folded(L + 1)) drawBand(net, wires, boxOf, L);
    let most = 0;
    for (const i of from) for (const j of to) most = Math.max(most, Math.abs(trace.slope(L, slot(), j, i) ?? 0));
    for (const i of from) {
      for (const j of to) {
        if (step.elementwise && i !== j) continue;
        const slope = trace.slope(L, slot(), j, i);
        const pick = step.linear ? `p${L}.weight.${j * trace.width(L) + i}` : `e${L}.${j}.${i}`;
        wire(wires, cards.get(`${L}.${i}`), cards.get(`${L + 1}.${j}`), slope, most, pick, `${L}.${i}-${L + 1}.${j}`);
      }
      for (const level of step.feeds) {
        const a = cards.get(`${L}.${i}`), b = cards.get(`${level}.${i}`);
        if (a && b) around(wires, a, b, `${L}.${i}-${level}.${i}`);
      }
    }
    const one = net.querySelector(`[data-one="${L}"]`);
    if (one) {
      const biases = trace.parameter(L, "bias").value;
      const top = Math.max(...to.map((j) => Math.abs(biases[j])), most);
      for (const j of to) wire(wires, boxOf(one), cards.get(`${L + 1}.${j}`), biases[j], top, `p${L}.bias.${j}`, `one${L}-${L + 1}.${j}`);
    }
  }
  light(net, looked ?? state.pick);
}

function wire(wires, a, b, x, most, pick, ends) {
  const bend = (b.left - a.right) / 2;
  const d = `M${a.right} ${a.y} C${a.right + bend} ${a.y} ${b.left - bend} ${b.y} ${b.left} ${b.y}`;
  const strength = most > 0 && x !== null ? Math.abs(x) / most : 0;
  const sign = x === null || x === 0 ? "" : x < 0 ? " neg" : " pos";
  svg("path", { class: `wire${sign}`, d, "stroke-width": (0.8 + 2.4 * strength).toFixed(2), "data-ends": ends, "data-wire": pick }, wires);
  svg("path", { class: "hit", d, "data-pick": pick }, wires);
}

function around(wires, a, b, ends) {
  const high = Math.min(a.top, b.top) - 8;
  svg("path", { class: "wire around", d: `M${a.right} ${a.y} C${a.right + 60} ${high} ${b.left - 60} ${high} ${b.left} ${b.y}`, "stroke-width": 1.6, "data-ends": ends }, wires);
}

// Between folded levels a band says that every unit is joined to every unit.
function drawBand(net, wires, boxOf, L) {
  const columns = net.querySelectorAll(".column");
  const a = boxOf(columns[L - 1]), b = boxOf(columns[L]);
  svg("path", { class: "band", d: `M${a.right} ${a.top} L${b.left} ${b.top} L${b.left} ${b.bottom} L${a.right} ${a.bottom} Z` }, wires);
}

// Lights what belongs to a pick: the unit, what it is made of, and the arrows between.
function light(net, pick) {
  for (const lit of net.querySelectorAll(".lit")) lit.classList.remove("lit");
  const asked = pickOf(pick);
  if (!asked) return;
  const units = new Set(), wires = new Set();
  const { kind, L } = asked;
  if (kind === "d") {
    units.add(`${L}.${asked.i}`);
    for (const term of trace.terms(L, slot(), asked.i)) {
      if (term.product === 0) continue;
      units.add(`${term.level}.${term.unit}`);
      wires.add(`${L}.${asked.i}-${term.level}.${term.unit}`);
    }
  } else if (kind === "z") {
    units.add(`${L}.${asked.i}`);
    if (L > 1) {
      for (const i of unfolded(L - 1)) {
        if (trace.slope(L - 1, slot(), asked.i, i) === 0) continue;
        units.add(`${L - 1}.${i}`);
        wires.add(`${L - 1}.${i}-${L}.${asked.i}`);
      }
    }
  } else if (kind === "e") {
    units.add(`${L}.${asked.i}`).add(`${L + 1}.${asked.j}`);
    wires.add(`${L}.${asked.i}-${L + 1}.${asked.j}`);
  } else if (trace.step(L).linear) {
    const { i, j } = trace.pull(L, asked.name, asked.place, slot());
    units.add(`${L + 1}.${j}`);
    if (i !== null) units.add(`${L}.${i}`);
    wires.add(i === null ? `one${L}-${L + 1}.${j}` : `${L}.${i}-${L + 1}.${j}`);
  }
  for (const unit of units) net.querySelector(`[data-unit="${unit}"]`)?.classList.add("lit");
  for (const ends of wires) net.querySelector(`[data-ends="${ends}"]`)?.classList.add("lit");
}
