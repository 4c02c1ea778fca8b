// Small makers of elements, and the table of a sum that opens under a δ.

// h("p", {class: "note"}, "text", element): text is never read as markup; `html` is.
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "html") element.innerHTML = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const formula = (inner, kind = "") => h("div", { class: `formula ${kind}`, html: math(inner) });
const symbol = (inner) => h("span", { class: "symbol", html: math(inner) });

// "z²₁ bill_length": a unit by its sign and, where it has one, the user's name.
function unitLabel(L, i) {
  const name = trace.names(L)?.[i];
  return h("span", {}, symbol(zSymbol(L, i)), name ? ` ${name}` : "");
}
const unitText = (L, i) => {
  const name = trace.names(L)?.[i];
  return spoken("z", L, i) + (name ? `, ${name}` : "");
};

function share(x, most, width = 64) {
  const length = most > 0 && Number.isFinite(x) ? Math.max(1, (Math.abs(x) / most) * width) : 0;
  return h("span", { class: `share ${x < 0 ? "neg" : "pos"}`, style: `width:${length.toFixed(1)}px` });
}

const BIG_SUM = 10; // terms shown at first
let shownWhole = null; // the pick whose long sum is shown in full

// The products of δ_i^L = ∑_j δ_j^{L+1} ∂z_j^{L+1}/∂z_i^L, the largest first where there are many.
function sumTable(terms, id, repaint) {
  const known = terms.every((term) => term.product !== null);
  const products = terms.map((term) => term.product ?? 0);
  const order = terms.length <= BIG_SUM || shownWhole === id
    ? terms.map((_, place) => place)
    : strongest(products, BIG_SUM).sort((a, b) => a - b);
  const rest = products.reduce((sum, product, place) => (order.includes(place) ? sum : sum + product), 0);
  const total = products.reduce((sum, product) => sum + product, 0);
  const most = Math.max(...products.map(Math.abs), 0);
  const around = terms.some((term) => term.around);
  const row = (term) => h("tr", {},
    h("th", { scope: "row" }, term.around ? "around: " : "", unitLabel(term.level, term.unit)),
    h("td", { class: "n d" }, shown(term.delta)),
    h("td", { class: "n" }, term.slope === null ? "not on this page" : shown(term.slope)),
    h("td", { class: "n product" }, term.product === null ? "" : shown(term.product)),
    h("td", {}, term.product === null ? "" : share(term.product, most)));
  const part = (says, x) => h("tr", { class: "part" },
    h("th", { scope: "row", colspan: 3 }, says), h("td", { class: "n part" }, shown(x)), h("td"));
  const sumOf = (chosen) => terms.reduce((sum, term) => (term.around === chosen ? sum + (term.product ?? 0) : sum), 0);
  return {
    total: known ? total : null,
    element: h("div", { class: "scroller" }, h("table", { class: "terms" },
      h("thead", {}, h("tr", {},
        h("th", {}, "through"), h("th", { class: "n", html: math(`<mrow class="d">${mi("δ")}</mrow>`) }),
        h("th", { class: "n" }, "∂z/∂z"), h("th", { class: "n" }, "product"), h("th", {}))),
      h("tbody", {},
        order.map((place) => row(terms[place])),
        order.length < terms.length && h("tr", { class: "part" },
          h("th", { scope: "row", colspan: 3 }, `${counted(terms.length - order.length, "smaller term", "smaller terms")} `,
            h("button", { type: "button", class: "link", onclick: () => { shownWhole = id; repaint(); } }, "show all")),
          h("td", { class: "n part" }, shown(rest)), h("td")),
        around && part("δ back through the chain", sumOf(false)),
        around && part("δ back around it", sumOf(true)),
        known && h("tr", { class: "sum" },
          h("th", { scope: "row", colspan: 3 }, "sum"), h("td", { class: "n total" }, shown(total)), h("td"))))),
  };
}

// The number with every digit, to be copied.
function exactly(x, label) {
  const text = exact(x, trace.single);
  const button = h("button", { type: "button", class: "copy" }, "copy");
  const code = h("code", { class: "full" }, text);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // without leave to write, the number is at least selected, for Ctrl+C
      getSelection().selectAllChildren(code);
      document.execCommand("copy");
    }
    button.textContent = "copied";
    setTimeout(() => { button.textContent = "copy"; }, 1200);
  });
  return h("div", { class: "exact" }, h("span", { class: "small soft" }, label), code, button);
}
