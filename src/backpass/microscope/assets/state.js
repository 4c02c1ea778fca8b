// What is looked at, kept in the address: #row=3&step=2&pick=d2.1 opens the same view again.

const state = {
  row: trace ? given.rows.opened : 0, // number of the row, as in the trace
  versus: null, // a second row to compare with
  step: 0, // 0: all at once; 1 to last - 1: forward; then backward
  pick: null, // what is pinned: z2.0, d2.0, p1.weight.3, e2.1.0
  unit: null, // the unit whose numbers the rule shows
  open: {}, // level -> units unfolded beside the strongest
  epoch: null,
  theme: null,
};

function readAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const number = (key) => (/^\d+$/.test(asked.get(key) ?? "") ? Number(asked.get(key)) : null);
  if (trace) {
    const known = (row) => (trace.slotOf.has(row) ? row : null);
    state.row = known(number("row")) ?? given.rows.opened;
    state.versus = known(number("versus"));
    state.step = Math.min(number("step") ?? 0, 2 * (trace.last - 1));
    state.pick = pickOf(asked.get("pick")) ? asked.get("pick") : null;
    state.unit = number("unit");
    state.open = {};
    for (const part of (asked.get("open") ?? "").split(";")) {
      const [level, units] = part.split(":");
      if (!(level >= 1 && level <= trace.last) || !units) continue;
      state.open[level] = units.split(",").map(Number).filter((i) => i >= 0 && i < trace.width(level));
    }
  }
  state.epoch = number("epoch");
  state.theme = ["light", "dark"].includes(asked.get("theme")) ? asked.get("theme") : null;
}

function writeAddress() {
  const said = new URLSearchParams();
  if (trace && state.row !== given.rows.opened) said.set("row", state.row);
  if (state.versus !== null) said.set("versus", state.versus);
  if (state.step) said.set("step", state.step);
  if (state.pick) said.set("pick", state.pick);
  if (state.unit !== null) said.set("unit", state.unit);
  const open = Object.entries(state.open).filter(([, units]) => units.length);
  if (open.length) said.set("open", open.map(([level, units]) => `${level}:${units.join(",")}`).join(";"));
  if (state.epoch !== null) said.set("epoch", state.epoch);
  if (state.theme) said.set("theme", state.theme);
  const address = said.toString().replaceAll("%3A", ":").replaceAll("%2C", ",").replaceAll("%3B", ";");
  try {
    history.replaceState(null, "", `#${address}`);
  } catch {
    // a notebook's frame has no address of its own
  }
}

// {kind, L, ...} of a pick such as "d2.1", or null where it names nothing on this page.
function pickOf(text) {
  const found = /^([zdpe])(\d+)\.(.+)$/.exec(text ?? "");
  if (!found || !trace) return null;
  const [, kind, level, rest] = found;
  const L = Number(level);
  const parts = rest.split(".");
  const inside = (unit, M) => /^\d+$/.test(unit ?? "") && Number(unit) < trace.width(M);
  if (L < 1 || L > trace.last) return null;
  if (kind === "z" || kind === "d") return inside(parts[0], L) ? { kind, L, i: Number(parts[0]) } : null;
  if (L === trace.last) return null;
  if (kind === "e") {
    return inside(parts[0], L + 1) && inside(parts[1], L)
      ? { kind, L, j: Number(parts[0]), i: Number(parts[1]) }
      : null;
  }
  const parameter = trace.parameter(L, parts[0]);
  const place = Number(parts[1]);
  return parameter && place >= 0 && place < parameter.value.length ? { kind, L, name: parts[0], place } : null;
}

// Which way the current step goes and through which step of the network; null for all at once.
function going() {
  const steps = trace.last - 1;
  if (state.step === 0) return null;
  if (state.step <= steps) return { forward: true, L: state.step };
  return { forward: false, L: 2 * steps + 1 - state.step };
}

const slot = () => trace.slotOf.get(state.row);
const other = () => (state.versus === null ? null : trace.slotOf.get(state.versus));

let redraw = () => {};

function change(fields) {
  Object.assign(state, fields);
  writeAddress();
  redraw();
}
