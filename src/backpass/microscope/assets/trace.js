// The trace: arrays as they came from the pass, and the derivatives that join them.

const given = JSON.parse(document.getElementById("document").textContent);

function unpacked(packed) {
  const bytes = Uint8Array.from(atob(packed.base64), (sign) => sign.charCodeAt(0));
  return packed.dtype === "f4" ? new Float32Array(bytes.buffer) : new Float64Array(bytes.buffer);
}

const trace = given.levels && (() => {
  const levels = given.levels.map((level) => ({ ...level, z: unpacked(level.z), delta: unpacked(level.delta) }));
  const steps = given.steps.map((step) => ({
    ...step,
    jacobian: { form: step.jacobian.form, values: step.jacobian.values && unpacked(step.jacobian.values) },
    parameters: step.parameters.map((parameter) => ({
      ...parameter,
      value: unpacked(parameter.value),
      gradient: unpacked(parameter.gradient),
      perRow: parameter.per_row && unpacked(parameter.per_row),
    })),
  }));
  const last = levels.length;
  const rows = given.rows.numbers;
  const slotOf = new Map(rows.map((number, slot) => [number, slot]));
  const targets = unpacked(given.targets);
  const targetsPerRow = targets.length / rows.length;

  return {
    levels, steps, last, rows, slotOf,
    single: given.dtype === "float32",
    labels: given.rows.labels,
    width: (L) => levels[L - 1].width,
    names: (L) => levels[L - 1].names,
    z: (L, slot, i) => levels[L - 1].z[slot * levels[L - 1].width + i],
    delta: (L, slot, i) => levels[L - 1].delta[slot * levels[L - 1].width + i],
    loss: (slot) => levels[last - 1].z[slot],
    target: (slot, k) => targets[slot * targetsPerRow + k],
    step: (L) => steps[L - 1],
    parameter: (L, name) => steps[L - 1].parameters.find((parameter) => parameter.name === name),

    // ∂z_j^{L+1}/∂z_i^L of a row; null where the page does not hold it.
    slope(L, slot, j, i) {
      const { form, values } = steps[L - 1].jacobian;
      const width = levels[L - 1].width;
      if (form === "weight") return this.parameter(L, "weight").value[j * width + i];
      if (form === "identity") return i === j ? 1 : 0;
      if (form === "diagonal") return i === j ? values[slot * width + i] : 0;
      if (form === "dense") return values[(slot * levels[L].width + j) * width + i];
      return null;
    },

    // What δ_i^L sums: one term for each unit that z_i^L feeds. δ · slope = product.
    terms(L, slot, i) {
      if (L === last) return [];
      const step = steps[L - 1];
      const units = step.elementwise ? [i] : Array.from({ length: levels[L].width }, (_, j) => j);
      const term = (level, unit, slope, around) => {
        const delta = this.delta(level, slot, unit);
        return { level, unit, delta, slope, product: slope === null ? null : delta * slope, around };
      };
      return [
        ...units.map((j) => term(L + 1, j, this.slope(L, slot, j, i), false)),
        ...step.feeds.map((level) => term(level, i, 1, true)),
      ];
    },

    // ∂C/∂θ of one row: {factors: [δ, ∂z/∂θ], product}; null where the page does not hold it.
    pull(L, name, place, slot) {
      const parameter = this.parameter(L, name);
      if (steps[L - 1].linear) {
        const width = levels[L - 1].width;
        const j = name === "bias" ? place : Math.floor(place / width);
        const delta = this.delta(L + 1, slot, j);
        const z = name === "bias" ? 1 : this.z(L, slot, place % width);
        return { j, i: name === "bias" ? null : place % width, delta, z, product: delta * z };
      }
      if (!parameter.perRow) return null;
      return { product: parameter.perRow[slot * parameter.value.length + place] };
    },
  };
})();

// What a row is called: by its number in the trace, or as the page's author calls it.
const called = (row) => given.rows.names?.[trace.slotOf.get(row)] ?? String(row);

// [2, 1] of a parameter's shape from a place in its flat array.
function indexOf(place, shape) {
  const index = [];
  for (const size of [...shape].reverse()) {
    index.unshift(place % size);
    place = Math.floor(place / size);
  }
  return index;
}

// The places of the n largest numbers, by size, the largest first.
function strongest(values, n) {
  const places = Array.from(values, (_, place) => place);
  places.sort((a, b) => Math.abs(values[b]) - Math.abs(values[a]) || a - b);
  return places.slice(0, n);
}
