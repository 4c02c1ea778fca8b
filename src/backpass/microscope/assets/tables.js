// The tables behind the drawing: every number of this row, for reading by ear, on paper and by search.

function tablesPanel() {
  const panel = h("section", { class: "panel full", id: "tables" }, h("h2", {}, "The numbers behind the drawing"),
    h("p", { class: "lead" }, `Row ${called(state.row)}, level by level.`));
  for (let L = 1; L <= trace.last; L++) {
    panel.append(h("details", { "data-level": L, ontoggle: (event) => event.target.open && fill(event.target) },
      h("summary", {}, `Level ${L}: ${roleOf(L)}${L > 1 ? `, given by ${trace.step(L - 1).name}` : ""}`),
      h("div", { class: "scroller" })));
  }
  const checks = h("details", {}, h("summary", {}, "Checks of the rules"), h("div", { class: "scroller" }, h("table", { class: "checks" },
    h("thead", {}, h("tr", {}, h("th", {}, "layer"), h("th", {}, "against differences of its map"), h("th", {}, "independent derivation"))),
    h("tbody", {}, trace.steps.map((step) => h("tr", {}, h("th", { scope: "row" }, step.name),
      h("td", { style: "white-space:normal" }, step.check.says), h("td", {}, step.derivation?.says ?? "none: a sum, or a rule of your own")))))));
  panel.append(checks);
  return panel;
}

// A table is made when it is first opened: a wide level has hundreds of lines.
function fill(details) {
  const body = details.querySelector(".scroller");
  if (!body.firstChild) body.append(levelTable(Number(details.dataset.level)));
}

function levelTable(L) {
  return h("table", { class: "level" },
    h("thead", {}, h("tr", {}, h("th", {}, "unit"), h("th", { class: "n" }, "z"), h("th", { class: "n" }, "δ"))),
    h("tbody", {}, Array.from({ length: trace.width(L) }, (_, i) => h("tr", {},
      h("th", { scope: "row" }, unitLabel(L, i)),
      h("td", { class: "n" }, shown(trace.z(L, slot(), i))), h("td", { class: "n d" }, shown(trace.delta(L, slot(), i)))))));
}

// On paper everything small is open.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("#tables details, #paths details")) {
    const L = Number(details.dataset.level);
    if (L && trace.width(L) > 64) continue;
    if (L) fill(details); // the event of opening would come after the sheet is laid out
    details.open = true;
  }
});
