// What is pointed at, opened: the sum of a δ, the product of a weight, the formula of a z.

let looked = null; // what the pointer or the focus is on; null falls back on the pinned pick

function inspectorPanel() {
  const panel = h("section", { class: "panel", id: "inspector", "aria-live": "polite" });
  fillInspector(panel);
  return panel;
}

function fillInspector(panel) {
  const text = looked ?? state.pick;
  const asked = pickOf(text);
  panel.dataset.shows = text ?? "";
  panel.classList.toggle("idle", !asked);
  const repaint = () => fillInspector(panel);
  if (!asked) {
    const hint = h("p", { class: "caption" }, "Point at another number in the drawing, or go there with ", h("kbd", {}, "Tab"), ": its sum opens here. A click keeps it, ", h("kbd", {}, "Esc"), " lets go.");
    panel.replaceChildren(...openDelta(exampleDelta(), "example", repaint).filter(Boolean), hint);
    return;
  }
  const makers = { d: openDelta, z: openValue, p: openParameter, e: openSlope };
  panel.replaceChildren(...makers[asked.kind](asked, text, repaint).filter(Boolean));
}

// Until something is picked, the strongest δ behind the first layer shows how a sum opens.
function exampleDelta() {
  const L = Math.min(2, trace.last - 1);
  return { L, i: strongest(levelValues("delta", L, slot()), 1)[0] };
}

function heading(inner, words) {
  return h("h2", {}, symbol(inner), words ? ` ${words}` : "");
}

function beside(of) {
  return other() === null ? null
    : h("p", { class: "small soft" }, `row ${called(state.row)}: ${shown(of(slot()))} · row ${called(state.versus)}: ${shown(of(other()))}`);
}

function openDelta({ L, i }, id, repaint) {
  const value = trace.delta(L, slot(), i);
  const name = trace.names(L)?.[i];
  const head = heading(mrow(deltaSymbol(L, i), mo("="), frac(mo("∂") + mi("C"), mo("∂") + zSymbol(L, i)), mo("="), mn(shown(value))), name ? `· ${name}` : "");
  const compare = beside((row) => trace.delta(L, row, i));
  if (L === trace.last) {
    return [head, h("p", { class: "lead" }, "The cost changes as fast as itself: the recursion starts from 1."), compare, exactly(value, "δ, every digit")];
  }
  const terms = trace.terms(L, slot(), i);
  const sum = sumTable(terms, id, repaint);
  return [head,
    h("p", { class: "lead" }, terms.length === 1
      ? "It feeds one unit, so one product is the whole sum."
      : `It feeds ${counted(terms.length, "unit", "units")}: the δ of each, times how much this z moves it.`),
    sum.element, differenceNote(sum.total, value), compare, exactly(value, "δ, every digit")];
}

// The products of the halves of a joint pair can differ from the δ of their joint rule.
function differenceNote(total, value) {
  if (total === null || shown(total) === shown(value)) return null;
  const [note] = notesOfRow(state.row);
  const why = given.joint
    ? `The δ used, ${shown(value)}, is that of the joint rule of ${given.joint.name}: the half alone has lost digits here.`
    : "The sum differs in the last digits: large terms cancel.";
  return h("p", { class: "note" }, note ?? why);
}

function openValue({ L, i }) {
  const value = trace.z(L, slot(), i);
  const name = trace.names(L)?.[i];
  const head = heading(mrow(zSymbol(L, i), mo("="), mn(shown(value))), name ? `· ${name}` : "");
  const from = L === 1
    ? h("p", { class: "lead" }, `The value that row ${called(state.row)} brings.`)
    : h("div", {}, h("p", { class: "lead" }, `What ${trace.step(L - 1).short} gives:`), formula(forwardNumbers(L - 1, i), "numbers"));
  return [head, from, beside((row) => trace.z(L, row, i)), exactly(value, "z, every digit")];
}

function openSlope({ L, i, j }) {
  const slope = trace.slope(L, slot(), j, i);
  const { derivative, elementwise } = trace.step(L);
  const own = Array.isArray(derivative) && derivative[0] === "jacobian";
  const shownOwn = own ? "" : mo("=") + new Formula(L, slot(), elementwise ? { i, k: i } : { i, j, k: j }).render(derivative);
  return [heading(mrow(slopeSymbol(L, j, i), mo("="), mn(slope === null ? "?" : shown(slope)))),
    h("p", { class: "lead" }, "How much the one moves the other: the layer's own derivative."),
    own ? null : formula(mrow(slopeSymbol(L, j, i), shownOwn, mo("="), mn(shown(slope))), "numbers"),
    slope === null ? null : exactly(slope, "every digit")];
}

function parameterWords(L, name, place) {
  const parameter = trace.parameter(L, name);
  return `${parameter.full}[${indexOf(place, parameter.shape).join(", ")}]`;
}

function openParameter({ L, name, place }) {
  const parameter = trace.parameter(L, name);
  const pull = trace.pull(L, name, place, slot());
  const sign = parameterSymbol(L, name, place);
  const partial = frac(mo("∂") + mi("C"), mo("∂") + sign);
  const value = parameter.value[place];
  const head = heading(mrow(sign, mo("="), mn(shown(value))), `· ${parameterWords(L, name, place)}`);
  const body = [];
  if (pull?.delta !== undefined) {
    const z = pull.i === null ? mn("1") : zSymbol(L, pull.i);
    const number = (x, kind) => new Formula(L, slot()).number(x, kind);
    body.push(
      h("p", { class: "lead" }, pull.i === null
        ? "A bias is the weight of an input that is always 1, so its gradient is the δ of its unit."
        : "A weight joins one z to one unit, so its gradient is one product."),
      h("p", { class: "small soft" }, unitLabel(L + 1, pull.j), pull.i === null ? "" : h("span", {}, " from ", unitLabel(L, pull.i))),
      formula(mrow(partial, mo("="), deltaSymbol(L + 1, pull.j), mo("·"), z, mo("="), number(pull.delta, "d"), mo("·"), number(pull.z), mo("="), mn(shown(pull.product))), "numbers"));
  } else if (pull) {
    body.push(formula(mrow(partial, mo("="), mn(shown(pull.product))), "numbers"));
  }
  const compare = pull && beside((row) => trace.pull(L, name, place, row).product);
  return [head, ...body, compare,
    h("p", { class: "small soft" }, `Summed over all ${counted(given.rows.total, "row", "rows")} of the trace: ${shown(parameter.gradient[place])}.`),
    pull && exactly(pull.product, `gradient of row ${called(state.row)}, every digit`), exactly(value, "parameter, every digit")];
}
