// The rule of the current step: in symbols, and with this row's numbers.

function rulePanel() {
  const way = going();
  const panel = h("section", { class: "panel", id: "rule", "aria-live": "polite" });
  if (!way) {
    panel.append(
      h("h2", {}, "One pass, forward and back"),
      h("p", { class: "lead" }, "Values z go from left to right until the cost. Then δ comes back: how much the cost changes when that z changes a little. Each layer multiplies the δ of the next level by its own derivative, and each unit adds up what arrives."),
      formula(recursion("L", "L+1")),
      formula(mrow(deltaSymbol(trace.last, 0), mo("="), frac(mo("∂") + mi("C"), mo("∂") + mi("C")), mo("="), mn("1"), mtext("\u00a0 starts it"))),
      h("p", { class: "caption" }, "Step through it with ", h("kbd", {}, "→"), " and ", h("kbd", {}, "←"), ". Point at any δ, weight or bias to open its sum; click to keep it."));
    return panel;
  }
  const step = trace.step(way.L);
  panel.append(h("h2", {}, `${way.forward ? "Forward through" : "Back through"} ${step.short}: ${step.says}`));
  (way.forward ? forwardRule : backwardRule)(panel, way.L, step);
  return panel;
}

const mtext = (text) => `<mtext>${escaped(text)}</mtext>`;

// δ_i^L = ∂C/∂z_i^L = ∑_j δ_j^{L+1} ∂z_j^{L+1}/∂z_i^L with letters for the levels.
function recursion(level, next) {
  const L = mi(level), N = level === "L" ? mrow(mi("L"), mo("+"), mn("1")) : mi(next);
  return mrow(
    indexed("δ", L, "i", "d"), mo("="), frac(mo("∂") + mi("C"), mo("∂") + indexed("z", L, "i")), mo("="),
    `<munder>${mo("∑")}${mi("j")}</munder>`, indexed("δ", N, "j", "d"),
    frac(mo("∂") + indexed("z", N, "j"), mo("∂") + indexed("z", L, "i")));
}

// The unit whose numbers are shown: the one asked for, else the one with the largest value.
function example(L, values) {
  const width = trace.width(L);
  if (state.unit !== null && state.unit < width) return state.unit;
  return strongest(values, 1)[0];
}

function unitChips(L, current) {
  const units = unfolded(L);
  if (units.length < 2) return null;
  return h("div", { class: "chips", role: "group", "aria-label": "unit whose numbers are shown" }, [...new Set([...units, current])].sort((a, b) => a - b).map((i) =>
    h("button", { type: "button", "aria-pressed": String(i === current), onclick: () => change({ unit: i }) }, unitLabel(L, i))));
}

function forwardRule(panel, L, step) {
  const k = example(L + 1, levelValues("z", L + 1, slot()));
  if (step.forward === null) {
    panel.append(h("p", { class: "lead" }, `${step.name} is not one of the built-in layers: its formula is its own code, and the page shows what it gave.`));
    panel.append(formula(mrow(zSymbol(L + 1, k), mo("="), mn(shown(trace.z(L + 1, slot(), k)))), "numbers"), unitChips(L + 1, k) ?? "");
    return;
  }
  panel.append(formula(mrow(zSymbol(L + 1, "k"), mo("="), new Formula(L).render(step.forward))));
  panel.append(h("p", { class: "caption" }, `with the numbers of row ${called(state.row)}`));
  panel.append(formula(forwardNumbers(L, k), "numbers"), unitChips(L + 1, k) ?? "");
  if (step.loss) panel.append(h("p", { class: "caption" }, `y of this row: ${trace.labels[slot()]}.`));
  noteOnJoint(panel, L);
}

function forwardNumbers(L, k) {
  const value = trace.z(L + 1, slot(), k);
  const { forward } = trace.step(L);
  const left = mrow(zSymbol(L + 1, k), mo("="));
  if (forward === null) return mrow(left, mn(shown(value)));
  return mrow(left, new Formula(L, slot(), { k, i: k }).render(forward), mo("="), mn(shown(value)));
}

function backwardRule(panel, L, step) {
  const i = example(L, levelValues("delta", L, slot()));
  const symbols = new Formula(L, null, step.loss ? { j: 0 } : {});
  const sum = step.loss ? "" : `<munder>${mo("∑")}${mi("j")}</munder>`; // the cost is one unit
  panel.append(formula(mrow(deltaSymbol(L, "i"), mo("="), sum, deltaSymbol(L + 1, "j"), slopeSymbol(L, "j", "i"))));
  const own = step.elementwise ? slopeSymbol(L, "i", "i") : slopeSymbol(L, "j", "i");
  const isJacobian = Array.isArray(step.derivative) && step.derivative[0] === "jacobian";
  panel.append(h("p", { class: "caption" }, `what ${step.short} knows: its own derivative${step.elementwise ? " (0 between different units)" : ""}`));
  panel.append(formula(isJacobian ? own : mrow(own, mo("="), symbols.render(step.derivative))));
  panel.append(h("p", { class: "caption" }, `both together, with the numbers of row ${called(state.row)}`));
  panel.append(formula(backwardNumbers(L, i), "numbers"), unitChips(L, i) ?? "");
  if (step.feeds.length) panel.append(h("p", { class: "note" }, "This level also feeds the sum behind a Residual, so a second δ arrives around the chain; both are added."));
  if (step.parameters.length) panel.append(...parameterRule(L, step));
  noteOnJoint(panel, L);
}

function backwardNumbers(L, i) {
  const step = trace.step(L);
  const value = mn(shown(trace.delta(L, slot(), i)));
  const chain = new Formula(L, slot(), { i, k: i }).render(step.delta, step.feeds.length ? 1 : 0);
  const arriving = step.feeds.map((level) => mo("+") + mrow(new Formula(level - 1, slot()).number(trace.delta(level, slot(), i), "d")));
  return mrow(deltaSymbol(L, i), mo("="), chain, ...arriving, mo("="), `<mrow class="d">${value}</mrow>`);
}

function parameterRule(L, step) {
  const partial = (lower) => frac(mo("∂") + mi("C"), mo("∂") + lower);
  if (!step.linear) {
    return [h("p", { class: "caption" }, "and for its parameters"),
      formula(mrow(partial(mi("θ")), mo("="), `<munder>${mo("∑")}${mi("j")}</munder>`, deltaSymbol(L + 1, "j"), frac(mo("∂") + zSymbol(L + 1, "j"), mo("∂") + mi("θ"))))];
  }
  const bias = trace.parameter(L, "bias");
  return [h("p", { class: "caption" }, "and for its parameters: a weight joins one input to one output, so one product is left"),
    formula(mrow(partial(`<msub>${mi("w")}${mrow(mi("j"), mi("i"))}</msub>`), mo("="), deltaSymbol(L + 1, "j"), mo("·"), zSymbol(L, "i"),
      bias ? mrow(mo(","), `<mspace width="1em"></mspace>`, partial(`<msub>${mi("b")}${mi("j")}</msub>`), mo("="), deltaSymbol(L + 1, "j"), mo("·"), mn("1")) : ""))];
}

// The last layer and the loss may be evaluated by one joint rule; where a half overflows, say so.
function noteOnJoint(panel, L) {
  if (!given.joint || L < trace.last - 2) return;
  const before = trace.last - 2;
  panel.append(h("p", { class: "caption" }, `${trace.step(before).short} and ${trace.step(before + 1).short} are evaluated together, by the joint rule of ${given.joint.name}, exact at any logit:`),
    formula(mrow(deltaSymbol(before, "i"), mo("="), new Formula(before).render(given.joint.delta))));
  for (const note of notesOfRow(state.row)) panel.append(h("p", { class: "note" }, note));
}

function notesOfRow(row) {
  const start = `row ${row}:`;
  return given.notes.filter((note) => note.startsWith(start)).map((note) => `row ${called(row)}:${note.slice(start.length)}`);
}
