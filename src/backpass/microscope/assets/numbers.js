// How numbers are written: four digits for reading, every digit for copying.

const MINUS = "\u2212";
const RAISED = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

const raised = (n) => [...String(n)].map((sign) => RAISED[sign]).join("");

// Four significant digits, fewer where fewer say it all; 1.234×10⁻⁵ where a decimal would be long.
function shown(x) {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : MINUS + "∞";
  if (x === 0) return "0";
  const size = Math.abs(x);
  const rounded = Number(size.toPrecision(4));
  let text;
  if (rounded >= 1e6 || rounded < 1e-3) {
    const [digits, power] = size.toExponential(3).split("e");
    text = `${size === rounded ? Number(digits) : digits}×10${raised(Number(power))}`;
  } else if (rounded >= 1e4) {
    text = String(Math.round(size));
  } else {
    text = size === rounded ? String(size) : size.toPrecision(4);
  }
  return (x < 0 ? MINUS : "") + text;
}

// One significant digit, for the size of an error.
const brief = (x) => shown(Number(x.toPrecision(1)));

// The shortest decimal that reads back as the same number: of a float32 network, the same float32.
function exact(x, single) {
  if (single && Number.isFinite(x)) {
    for (let digits = 1; digits < 10; digits++) {
      const text = x.toPrecision(digits);
      if (Math.fround(Number(text)) === x) return String(Number(text));
    }
  }
  return Object.is(x, -0) ? "-0" : String(x);
}

const counted = (n, one, many) => `${n.toLocaleString("en").replaceAll(",", "\u202f")} ${n === 1 ? one : many}`;

// Whole numbers of any length, as text, in groups of three.
const grouped = (text) => text.replace(/\B(?=(\d{3})+$)/g, "\u202f");

// A long name without its middle: names of levels differ at the end, names of columns at the start.
function shortened(name) {
  const signs = [...name];
  return signs.length <= 24 ? name : `${signs.slice(0, 11).join("")}…${signs.slice(-12).join("")}`;
}

const escaped = (text) =>
  String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
