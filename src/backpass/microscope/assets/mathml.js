// Formulas as MathML, from the trees of notation.py: with symbols, or with one row's numbers.

const MOST_TERMS = 5; // of a sum written out; beyond it the first three and the last

const mi = (name) => `<mi>${escaped(name)}</mi>`;
const mn = (text) => `<mn>${escaped(text)}</mn>`;
const mo = (sign) => `<mo>${escaped(sign)}</mo>`;
const tight = (sign) => `<mo lspace="0" rspace="0" stretchy="false">${sign}</mo>`;
const mrow = (...parts) => `<mrow>${parts.join("")}</mrow>`;
const fenced = (inner) => mrow(mo("("), inner, mo(")"));
const frac = (a, b) => `<mfrac>${mrow(a)}${mrow(b)}</mfrac>`;
const math = (inner, label) =>
  `<math display="inline"${label ? ` aria-label="${escaped(label)}"` : ""}>${mrow(inner)}</math>`;

// z_i^L and δ_i^L; indices are letters, or numbers counted from 1 as in the note. A level of width 1
// that is the cost has no index.
function indexed(letter, level, index, kind = "") {
  const lower = typeof index === "number" ? mn(index + 1) : mi(index);
  const raisedLevel = typeof level === "number" ? mn(level) : level;
  const plain = typeof level === "number" && level === trace.last;
  const inner = plain
    ? `<msup>${mi(letter)}${raisedLevel}</msup>`
    : `<msubsup>${mi(letter)}${lower}${raisedLevel}</msubsup>`;
  return kind ? `<mrow class="${kind}">${inner}</mrow>` : inner;
}
const zSymbol = (level, index) => indexed("z", level, index);
const deltaSymbol = (level, index) => indexed("δ", level, index, "d");
const slopeSymbol = (L, j, i) => frac(mo("∂") + zSymbol(L + 1, j), mo("∂") + zSymbol(L, i));

// A parameter as the note would write it: w_12, b_1, or by its own name.
function parameterSymbol(L, name, place) {
  const shape = trace.parameter(L, name).shape;
  const lower = mrow(indexOf(place, shape).map((i) => mn(i + 1)).join(mo(",")));
  const letter = { weight: "w", bias: "b" }[name] ?? name;
  return `<msub>${mi(letter)}${lower}</msub>`;
}

// Text for the ear and for labels: z²₁ in plain signs.
const lowered = (n) => [...String(n)].map((sign) => "₀₁₂₃₄₅₆₇₈₉"[sign] ?? sign).join("");
const spoken = (letter, L, i) => `${letter}${raised(L)}${L === trace.last ? "" : lowered(i + 1)}`;

// Binding strength, to set brackets where needed: + below ·, numbers above both.
const STRENGTH = { add: 1, sub: 1, neg: 1, sum: 1, mul: 2, jacobian: 3 };

class Formula {
  // L: the level that goes in. slot: the row, null for symbols. bound: numbers for index letters.
  constructor(L, slot = null, bound = {}) {
    Object.assign(this, { L, slot, bound });
  }

  get numbers() {
    return this.slot !== null;
  }

  index(letter) {
    if (letter === "y") return this.numbers ? trace.target(this.slot, 0) : "y";
    if (letter === "1") return 0;
    return this.bound[letter] ?? letter;
  }

  number(x, kind = "") {
    const inner = x < 0 ? mrow(tight("("), tight(MINUS), mn(shown(-x)), tight(")")) : mn(shown(x));
    return kind ? `<mrow class="${kind}">${inner}</mrow>` : inner;
  }

  render(tree, strength = 0) {
    if (typeof tree === "number") return this.number(tree);
    const [operation, ...operands] = tree;
    let inner = this[operation](...operands);
    const own = operation === "sum" && this.numbers && this.width(operands[1]) === 1 ? 3 : (STRENGTH[operation] ?? 3);
    if (own < strength) inner = fenced(inner);
    return inner;
  }

  z_in(i) {
    return this.numbers ? this.number(trace.z(this.L, this.slot, this.index(i))) : zSymbol(this.L, this.index(i));
  }
  z_out(k) {
    return this.numbers ? this.number(trace.z(this.L + 1, this.slot, this.index(k))) : zSymbol(this.L + 1, this.index(k));
  }
  z_level(level, k) {
    return this.numbers ? this.number(trace.z(level, this.slot, this.index(k))) : zSymbol(level, this.index(k));
  }
  delta_out(j) {
    return this.numbers
      ? this.number(trace.delta(this.L + 1, this.slot, this.index(j)), "d")
      : deltaSymbol(this.L + 1, this.index(j));
  }
  weight(j, i) {
    if (this.numbers) return this.number(trace.slope(this.L, this.slot, this.index(j), this.index(i)));
    return `<msub>${mi("w")}${mrow(mi(j), mi(i))}</msub>`;
  }
  bias(j) {
    if (this.numbers) return this.number(trace.parameter(this.L, "bias").value[this.index(j)]);
    return `<msub>${mi("b")}${mi(j)}</msub>`;
  }
  target(k) {
    return this.numbers ? this.number(trace.target(this.slot, this.index(k))) : `<msub>${mi("y")}${mi(k)}</msub>`;
  }
  jacobian(j, i) {
    if (!this.numbers) return slopeSymbol(this.L, this.index(j), this.index(i));
    const slope = trace.slope(this.L, this.slot, this.index(j), this.index(i));
    return slope === null ? mi("?") : this.number(slope);
  }
  same(i, j) {
    if (this.numbers) return mn(this.index(i) === this.index(j) ? "1" : "0");
    return mrow(mo("["), mi(i), mo("="), mi(j), mo("]"));
  }
  positive(a) {
    return mrow(mo("["), this.render(a), mo(">"), mn("0"), mo("]"));
  }
  add(...terms) {
    return mrow(terms.map((term) => this.render(term, 1)).join(mo("+")));
  }
  sub(a, b) {
    return mrow(this.render(a, 1), mo(MINUS), this.render(b, 2));
  }
  neg(a) {
    return mrow(tight(MINUS), this.render(a, 2));
  }
  mul(...factors) {
    return mrow(factors.map((factor) => this.render(factor, 2)).join(mo("·")));
  }
  div(a, b) {
    return frac(this.render(a), this.render(b));
  }
  exp(a) {
    return `<msup>${mi("e")}${mrow(this.render(a))}</msup>`;
  }
  square(a) {
    return `<msup>${this.render(a, 3)}${mn("2")}</msup>`;
  }
  call(name, ...given) {
    return mrow(mi(name), mo("\u2061"), fenced(given.map((a) => this.render(a)).join(mo(","))));
  }
  n_in() {
    return this.numbers ? mn(trace.width(this.L)) : mi("n");
  }
  width(over) {
    return trace.width(over === "in" ? this.L : this.L + 1);
  }

  sum(letter, over, body) {
    if (!this.numbers) {
      return mrow(`<munder>${mo("∑")}${mi(letter)}</munder>`, this.render(body, 2));
    }
    const n = this.width(over);
    const written = n <= MOST_TERMS ? Array.from({ length: n }, (_, j) => j) : [0, 1, 2, null, n - 1];
    const terms = written.map((j) =>
      j === null ? mo("⋯") : new Formula(this.L, this.slot, { ...this.bound, [letter]: j }).render(body, 2));
    return mrow(terms.join(mo("+")));
  }
}
