"""The table of coefficients as text, HTML and LaTeX, after statsmodels and R's summary(glm)."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from backpass.inference.estimates import Estimates

COVARIANCES = {
    "hessian": "inverse information",
    "HC0": "sandwich, HC0",
    "HC1": "sandwich, HC1",
    "cluster": "by cluster",
}
OF_TRIALS = (
    "y holds counts: log-likelihood, AIC and BIC are of single trials, without binomial "
    "coefficients. A deviance of groups, as R prints it, is another number; differences of "
    "deviances are the same."
)
LEAST_DECIMALS, MOST_DECIMALS = 4, 9


def facts(results: Estimates) -> list[tuple[str, str]]:
    """Say in pairs what the fit is as a whole."""
    account = results.account
    dropped = f", {account.n_dropped:,} dropped" if account.n_dropped else ""
    said = [
        ("trials used" if account.counted else "rows used", f"{results.nobs:,.10g}{dropped}"),
        ("estimates", f"{results.n_estimates}"),
        ("covariance", COVARIANCES[results.cov_type] + _groups(results)),
        ("optimum", _state(results)),
    ]
    if account.class_weight:
        return [*said, ("likelihood", "none: class_weight makes another model")]
    p = "" if np.isnan(results.llr_pvalue) else f", p {probability(results.llr_pvalue)}"
    return [
        *said,
        ("log-likelihood", f"{results.llf:.4f}"),
        ("without columns", f"{results.llnull:.4f}"),
        *_penalised(results),
        (f"LR chi2({results.df_model})", f"{results.llr:.4f}{p}"),
        ("AIC, BIC", f"{results.aic:.3f}, {results.bic:.3f}"),
        ("McFadden R2", f"{results.prsquared:.4f}"),
    ]


def _penalised(results: Estimates) -> list[tuple[str, str]]:
    """Say the two values that the test compares, where Firth's prior makes them others."""
    optimum = results.optimum
    if optimum.penalised is None:
        return []
    both = f"{optimum.penalised:.4f}, without columns {optimum.penalised_null:.4f}"
    return [("penalised", both)]


def _groups(results: Estimates) -> str:
    return "" if results.n_groups is None else f", {results.n_groups:,} groups"


def _state(results: Estimates) -> str:
    if results.separation is not None:
        return "at infinity, classes are separated"
    return "reached" if results.account.reached else "NOT reached"


def notes(results: Estimates) -> list[tuple[str, str]]:
    """Say what a reader of the table must know: ("aliased", "separated" or "counted", words)."""
    said = []
    if results.aliased:
        one = len(results.aliased) == 1
        said.append(
            (
                "aliased",
                f"{listed(results.aliased)} {'is a' if one else 'are'} linear "
                f"combination{'' if one else 's'} of the columns before "
                f"{'it' if one else 'them'}, so the rows determine no coefficient: NA.",
            )
        )
    if results.separation is not None:
        said.append(("separated", separation_note(results)))
    if results.account.counted and not results.account.class_weight:
        said.append(("counted", OF_TRIALS))
    return said


def separation_note(results: Estimates) -> str:
    """Say what is separated and what that means for the estimates."""
    separation = results.separation
    if separation.complete:
        return (
            "Complete separation: a linear rule tells the classes apart without error. No "
            "coefficient is identified; inf says only which way estimates go. firth=True or a "
            "finite C gives finite ones."
        )
    params = results.params
    runaway = [
        (name if isinstance(name, str) else f"{name[1]} [{name[0]}]")
        + ("" if np.isnan(value) else " to +inf" if value > 0 else " to -inf")
        for name, value in params.items()
        if np.isinf(value) or (np.isnan(value) and _plain(name) not in results.aliased)
    ]
    finite = "The finite estimates are those of maximum likelihood. "
    if not np.isfinite(params).any():
        finite = ""
    if separation.better_base is not None:
        base = results.account.classes[separation.better_base]
        finite += (
            f"Against the class {base} more are finite: "
            f"reference={{{results.account.target!r}: {str(base)!r}}}. "
        )
    return (
        f"Quasi-complete separation of {separation.n_rows:,} rows: the likelihood rises for "
        f"ever along {listed(runaway)}. {finite}firth=True or a finite C gives finite ones for all."
    )


def _plain(name: Any) -> str:
    return name[1] if isinstance(name, tuple) else name


def listed(names: Any, most: int = 8) -> str:
    """Join names, the first few of many."""
    names = [str(name) for name in names]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" * (len(names) > most))


def title(results: Estimates) -> str:
    """Name the model."""
    account = results.account
    how = "Jeffreys' prior (Firth)" if account.firth else "maximum likelihood"
    base = account.classes[0]
    if len(account.classes) == 2:
        return f"Logistic regression, {how}: {account.target} = {account.classes[1]} against {base}"
    return f"Multinomial logistic regression, {how}: {account.target} against {base}"


def as_text(results: Estimates, level: float) -> str:
    """Write the whole table for a terminal."""
    heads, sections = rows(results, level)
    names = [name for _, body in sections for name, _ in body]
    width = max([len(name) for name in names] + [len(str(head)) for head, _ in sections] + [12])
    widths = [
        max(len(head), *(len(cells[j]) for _, body in sections for _, cells in body)) + 2
        for j, head in enumerate(heads)
    ]
    total = width + sum(widths)
    lines = [title(results), "=" * total, *_two_columns(facts(results), total), "=" * total]
    for section, body in sections:
        lines.append(section.ljust(width) + _line(heads, widths))
        lines.append("-" * total)
        lines += [name.ljust(width) + _line(cells, widths) for name, cells in body]
        lines.append("-" * total)
    lines[-1] = "=" * total
    for _, note in notes(results):
        lines += _wrapped(note, total)
    return "\n".join(lines)


def _line(cells: list[str], widths: list[int]) -> str:
    return "".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))


def _two_columns(pairs: list[tuple[str, str]], total: int) -> list[str]:
    half = -(-len(pairs) // 2)
    key = max(len(name) for name, _ in pairs) + 2
    left = [f"{name:<{key}}{value}" for name, value in pairs[:half]]
    right = [f"{name:<{key}}{value}" for name, value in pairs[half:]]
    right += [""] * (half - len(right))
    reach = max(max(map(len, left)) + 2, total - max(map(len, right)))
    return [(a.ljust(reach) + b).rstrip() for a, b in zip(left, right, strict=True)]


def _wrapped(text: str, width: int) -> list[str]:
    from textwrap import wrap

    return wrap(text, max(width, 60))


def rows(results: Estimates, level: float) -> tuple[list[str], list[tuple[str, list]]]:
    """Return heads and, per contrast, its title and (name, cells) of every coefficient."""
    frame = results.to_frame(level)
    values = frame.to_numpy()
    n = len(results.account.names)
    contrasts = results.account.classes[1:]
    sections = []
    for place, label in enumerate(contrasts):
        part = values[place * n : (place + 1) * n]
        head = str(label) if len(contrasts) > 1 else ""
        body = [(name, cells(row)) for name, row in zip(results.account.names, part, strict=True)]
        sections.append((head, body))
    return list(frame.columns), sections


def cells(row: Any) -> list[str]:
    """Write one coefficient's numbers; its standard error says how many decimals are worth it."""
    coef, error, z, p, low, high = row
    size = error if np.isfinite(error) and error > 0.0 else abs(coef)
    decimals = LEAST_DECIMALS
    if np.isfinite(size) and size > 0.0:
        decimals = int(np.clip(3 - np.floor(np.log10(size)), LEAST_DECIMALS, MOST_DECIMALS))

    def plain(value: float) -> str:
        if np.isnan(value):
            return "NA"
        if np.isinf(value):
            return "+inf" if value > 0 else "-inf"
        if 0.0 < size < 1e-6 or size > 1e7:
            return f"{value:.4g}"
        return f"{value:.{decimals}f}"

    return [
        plain(coef),
        plain(error),
        "NA" if np.isnan(z) else f"{z:.3f}",
        "NA" if np.isnan(p) else probability(p),
        plain(low),
        plain(high),
    ]


def probability(p: float) -> str:
    """Write a p-value."""
    return f"{p:.4f}" if p >= 1e-4 else "<0.0001"


def as_html(results: Estimates, level: float = 0.95) -> str:
    """Write the table for a notebook."""
    heads, sections = rows(results, level)
    told = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th><td>{escape(value)}</td></tr>"
        for name, value in facts(results)
    )
    body = []
    for section, lines in sections:
        body.append(
            f"<tr><th style='text-align:left'>{escape(section)}</th>"
            + "".join(f"<th>{escape(head)}</th>" for head in heads)
            + "</tr>"
        )
        body += [
            f"<tr><th style='text-align:left'>{escape(name)}</th>"
            + "".join(f"<td>{escape(cell)}</td>" for cell in line)
            + "</tr>"
            for name, line in lines
        ]
    said = "".join(f"<p>{escape(note)}</p>" for _, note in notes(results))
    return (
        f"<div><p><b>{escape(title(results))}</b></p><table>{told}</table>"
        f"<table>{''.join(body)}</table>{said}</div>"
    )


LATEX = {c: "\\" + c for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}


def latex_text(text: str) -> str:
    """Write text so that LaTeX prints it as it is."""
    return "".join(LATEX.get(c, c) for c in text)


def as_latex(results: Estimates, level: float) -> str:
    """Write the coefficients as a tabular in booktabs' manner."""
    heads, sections = rows(results, level)
    lines = [r"\begin{tabular}{l" + "r" * len(heads) + "}", r"\toprule"]
    for section, body in sections:
        lines.append(" & ".join([latex_text(section), *map(_latex_head, heads)]) + r" \\")
        lines.append(r"\midrule")
        lines += [
            " & ".join([latex_text(name), *map(_latex_number, row)]) + r" \\" for name, row in body
        ]
        lines.append(r"\midrule")
    lines[-1] = r"\bottomrule"
    return "\n".join([*lines, r"\end{tabular}"]) + "\n"


def _latex_head(head: str) -> str:
    return {"z": "$z$", "P>|z|": "$P>|z|$"}.get(head, latex_text(head))


def _latex_number(cell: str) -> str:
    known = {"+inf": r"$+\infty$", "-inf": r"$-\infty$", "NA": "NA"}
    if cell in known:
        return known[cell]
    return f"${cell}$"
