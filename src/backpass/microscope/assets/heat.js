// Heat maps: blue below zero, orange above, the strength relative to the largest of the level.

const PLAIN = 12; // a level with more units folds into a map
const FIRST = 3; // strongest units that stay unfolded

const folded = (L) => trace.width(L) > PLAIN;

// Columns and rows of a map: square where the width is a square number, as images are.
function shapeOf(width) {
  const side = Math.round(Math.sqrt(width));
  if (side * side === width) return [side, side];
  const columns = Math.max(4, 2 ** Math.floor(Math.log2(Math.sqrt(width))));
  return [columns, Math.ceil(width / columns)];
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

function paint(canvas, values) {
  const [columns, lines] = shapeOf(values.length);
  canvas.width = columns;
  canvas.height = lines;
  const [pos, neg, none, off] = ["--pos", "--neg", "--panel", "--wash"].map((name) => channels(colour(name)));
  const most = values.reduce((top, x) => (Number.isFinite(x) ? Math.max(top, Math.abs(x)) : top), 0);
  const image = new ImageData(columns, lines);
  for (let place = 0; place < columns * lines; place++) {
    const x = place < values.length ? values[place] : null;
    const t = x === null || most === 0 ? 0 : Math.sqrt(Math.min(1, Math.abs(x) / most));
    const end = x < 0 ? neg : pos;
    for (let c = 0; c < 3; c++) image.data[4 * place + c] = x === null ? off[c] : none[c] + t * (end[c] - none[c]);
    image.data[4 * place + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// A map that can be pointed at, walked with the arrow keys, and asked for a unit with Enter.
function heatMap(values, label, onpoint, onchoose) {
  const canvas = h("canvas", { tabindex: 0, role: "img" });
  const [columns, lines] = shapeOf(values.length);
  const top = strongest(values, 1)[0];
  canvas.setAttribute("aria-label",
    `${label}: ${values.length} values, the strongest ${shown(values[top])} at ${top + 1}. Arrow keys walk, Enter opens a unit.`);
  let at = null;
  const move = (place) => {
    if (place < 0 || place >= values.length || place === at) return;
    at = place;
    onpoint(place);
  };
  const under = (event) => {
    const box = canvas.getBoundingClientRect();
    const column = Math.min(columns - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * columns)));
    const line = Math.min(lines - 1, Math.max(0, Math.floor(((event.clientY - box.top) / box.height) * lines)));
    return line * columns + column;
  };
  canvas.addEventListener("pointermove", (event) => move(under(event)));
  canvas.addEventListener("pointerleave", () => { at = null; onpoint(null); });
  canvas.addEventListener("click", (event) => { const place = under(event); if (place < values.length) onchoose(place); });
  canvas.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (way !== undefined) move((at ?? top) + (at === null ? 0 : way));
    else if (event.key === "Enter" || event.key === " ") onchoose(at ?? top);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  paint(canvas, values);
  return canvas;
}

const levelValues = (kind, L, row) =>
  trace.levels[L - 1][kind].subarray(row * trace.width(L), (row + 1) * trace.width(L));
