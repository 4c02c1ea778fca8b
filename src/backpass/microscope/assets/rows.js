// Which rows pull a parameter hardest: every row's own gradient, and what they sum to.

function rowsPanel() {
  const asked = shownParameter();
  if (!asked || trace.pull(asked.L, asked.name, asked.place, 0) === null) return null;
  const { L, name, place } = asked;
  const parameter = trace.parameter(L, name);
  const pulls = trace.rows.map((_, row) => trace.pull(L, name, place, row).product);
  const sign = symbol(parameterSymbol(L, name, place));
  const all = trace.rows.length === given.rows.total;
  const total = parameter.gradient[place];
  const size = pulls.reduce((sum, x) => sum + Math.abs(x), 0);
  const panel = h("section", { class: "panel full", id: "rows" },
    h("h2", {}, "Which rows pull ", sign, " hardest"),
    h("p", { class: "lead" }, `${parameterWords(L, name, place)} · a row with a positive gradient wants it smaller, one with a negative gradient wants it larger.`));
  const top = strongest(pulls, 8);
  const most = Math.abs(pulls[top[0]]);
  panel.append(h("div", { class: "two" },
    h("div", { class: "scroller" }, h("table", { class: "pulls" },
      h("thead", {}, h("tr", {}, h("th", {}, "row"), h("th", {}, "y"), h("th", { class: "n" }, "its loss"), h("th", { class: "n" }, "its gradient"), h("th", {}))),
      h("tbody", {}, top.map((at) => h("tr", {},
        h("th", { scope: "row" }, h("button", { type: "button", class: "link", onclick: () => change({ row: trace.rows[at] }) }, called(trace.rows[at]))),
        h("td", {}, trace.labels[at]), h("td", { class: "n" }, shown(trace.loss(at))), h("td", { class: "n" }, shown(pulls[at])), h("td", {}, share(pulls[at], most))))))),
    h("div", {}, pullBars(pulls), balance(total, size, all, pulls))));
  return panel;
}

function balance(total, size, all, pulls) {
  const down = pulls.reduce((sum, x) => (x > 0 ? sum + x : sum), 0);
  const up = pulls.reduce((sum, x) => (x < 0 ? sum + x : sum), 0);
  const kept = all ? `all ${counted(given.rows.total, "row", "rows")}` : `the ${counted(pulls.length, "row", "rows")} on this page`;
  const words = [`Over ${kept}, positive gradients add up to ${shown(down)} and negative ones to ${shown(up)}. `];
  words.push(h("strong", { class: "total" }, `Sum over ${all ? "all rows" : `all ${given.rows.total} rows of the trace`}: ${shown(total)}.`), " ");
  if (all) {
    words.push(size === 0
      ? "No row pulls at it: each gradient is 0."
      : Math.abs(total) <= 1e-4 * size
      ? "The gradients sum to zero: the cost without a penalty is at its optimum in this parameter, and every pull is balanced by another."
      : "At the optimum of an unpenalised fit they would sum to zero. What is left here is what a penalty holds against, or what training has not reached.");
  }
  return h("p", { class: "small balance" }, words);
}

// All rows from the most negative to the most positive pull.
function pullBars(pulls) {
  const sorted = Float64Array.from(pulls).sort();
  const most = Math.max(Math.abs(sorted[0]), Math.abs(sorted[sorted.length - 1])) || 1;
  const n = Math.min(sorted.length, 400);
  const box = svg("svg", { class: "bars", viewBox: `0 0 ${n} 100`, preserveAspectRatio: "none", role: "img", "aria-label": "gradients of all rows, sorted" });
  for (let place = 0; place < n; place++) {
    const x = sorted[Math.floor((place * sorted.length) / n)];
    const high = (Math.abs(x) / most) * 48;
    svg("rect", { x: place + 0.08, width: 0.84, y: x > 0 ? 50 - high : 50, height: Math.max(high, 0.4), fill: x > 0 ? "var(--pos)" : "var(--neg)" }, box);
  }
  return h("figure", { style: "margin:0" }, box, h("figcaption", { class: "caption" }, "every row's gradient, sorted"));
}
