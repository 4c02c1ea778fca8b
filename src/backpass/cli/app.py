"""The commands and their options: what users type, turned into calls.

Each command imports what it needs when it runs, so that `--help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backpass.cli.request import FitRequest

app = typer.Typer(
    help="Classifiers trained by backpropagation: fit, look inside, predict.",
    no_args_is_help=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A file that `fit --out` wrote.")]
Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="A .csv, .tsv (plain, .gz, .zst), .parquet, .npy or .npz file, a folder or a quoted "
        "glob of such files.",
    ),
]
Encoding = Annotated[
    str, typer.Option(metavar="cp1252", help="Of the bytes of a text file, if not UTF-8.")
]
Decimal = Annotated[str, typer.Option(metavar=",", help="The sign in numbers, if not a point.")]


@app.callback(invoke_without_command=True)
def top(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Classifiers trained by backpropagation: fit, look inside, predict."""
    if version:
        from backpass import __version__

        typer.echo(f"backpass {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


@app.command(
    epilog="Example: backpass fit adult.csv --target income --out adult.safetensors",
)
def fit(
    data: Data,
    target: Annotated[str, typer.Option(metavar="COL", help="The column of classes.")],
    out: Annotated[
        Path | None, typer.Option(metavar="M.safetensors", help="Save the model here.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="R.html", help="Write a page with charts of the fit here."),
    ] = None,
    test: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Measure on this file's rows instead.")
    ] = None,
    test_size: Annotated[
        float | None,
        typer.Option(help="Share of rows held out, by class; 0 for none. (default 0.2)"),
    ] = None,
    c: Annotated[
        float | None, typer.Option("--C", help="Inverse strength of the penalty. (default 1)")
    ] = None,
    cv: Annotated[
        bool, typer.Option("--cv", help="Choose C by the log-loss of rows left out, in five folds.")
    ] = False,
    mle: Annotated[bool, typer.Option("--mle", help="Maximum likelihood: no penalty.")] = False,
    hidden: Annotated[
        str | None,
        typer.Option(metavar="64,64", help="Fit a perceptron with hidden layers of these sizes."),
    ] = None,
    categorical: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Columns that are categories.")
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Columns to leave out.")
    ] = None,
    weight: Annotated[
        str | None, typer.Option(metavar="COL", help="The column of row weights.")
    ] = None,
    class_weight: Annotated[
        str | None, typer.Option(metavar="balanced", help="Weigh classes to equal shares.")
    ] = None,
    missing: Annotated[
        str | None,
        typer.Option(
            metavar="indicator|drop|raise",
            help="Missing values: fill in and mark, leave rows out, or refuse. "
            "(default indicator; raise with --mle)",
        ),
    ] = None,
    missing_values: Annotated[
        str | None,
        typer.Option(metavar="'?,NA'", help="Markers of missing values, instead of the usual."),
    ] = None,
    encoding: Encoding = "utf-8",
    decimal: Decimal = ".",
    no_standardize: Annotated[
        bool, typer.Option("--no-standardize", help="Penalise numbers on their own scale.")
    ] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Most threads to use.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides what is drawn at random.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
    json: Json = False,
) -> None:
    """Fit a classifier to a table, and say how good it is on rows that it has not seen."""
    from backpass.cli.fit import run

    run(
        FitRequest.checked(
            data=data,
            target=target,
            out=out,
            report=report,
            test=test,
            test_size=test_size,
            C=c,
            cv=cv,
            mle=mle,
            hidden=hidden,
            categorical=categorical,
            drop=drop,
            weight=weight,
            class_weight=class_weight,
            missing=missing,
            missing_values=missing_values,
            encoding=encoding,
            decimal=decimal,
            standardize=not no_standardize,
            threads=threads,
            seed=seed,
            quiet=quiet,
            json=json,
        )
    )


@app.command(
    epilog="Example: backpass predict adult.safetensors new.csv --proba --id name --out p.csv",
)
def predict(
    model: Model,
    data: Data,
    out: Annotated[
        Path | None, typer.Option(metavar="P.csv|P.parquet", help="Write here, not to stdout.")
    ] = None,
    proba: Annotated[bool, typer.Option("--proba", help="Add a probability per class.")] = False,
    id: Annotated[
        list[str] | None, typer.Option("--id", metavar="A,B", help="Columns to copy through.")
    ] = None,
    encoding: Encoding = "utf-8",
    decimal: Decimal = ".",
) -> None:
    """Predict the class of every row of a table, in its order; columns are matched by name."""
    from backpass.cli.predict import run
    from backpass.cli.request import names

    if out is not None and out.suffix not in (".csv", ".parquet"):
        raise typer.BadParameter(f"--out {out}: name a .csv or a .parquet file")
    if out is not None and out.exists() and data.exists() and out.samefile(data):
        raise typer.BadParameter(f"--out {out} is DATA itself; name another file")
    run(model, data, out, proba, names(id), encoding, decimal)


@app.command(epilog="Example: backpass evaluate adult.safetensors adult-test.csv")
def evaluate(
    model: Model,
    data: Data,
    target: Annotated[
        str | None,
        typer.Option(metavar="COL", help="The column of classes, if it is not the fit's."),
    ] = None,
    encoding: Encoding = "utf-8",
    decimal: Decimal = ".",
    json: Json = False,
) -> None:
    """Measure a saved model on a table with known classes."""
    from backpass.cli.evaluate import run

    run(model, data, target, encoding, decimal, json)


@app.command(epilog="Example: backpass show adult.safetensors")
def show(model: Model) -> None:
    """Print a saved model: its coefficient table, or its layers."""
    from backpass.cli.show import run

    run(model)


@app.command(epilog="Example: backpass trace adult.safetensors adult.csv --row 7 --html row7.html")
def trace(
    model: Model,
    data: Data,
    html: Annotated[Path, typer.Option(metavar="T.html", help="Write the page here.")],
    row: Annotated[int, typer.Option(metavar="N", help="The row to look at; 1 is the first.")] = 1,
    rows: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Rows to compare it with.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(metavar="COL", help="The column of classes, if it is not the fit's."),
    ] = None,
) -> None:
    """Draw every z and δ of a saved model on a row: the gradient, term by term, as one page."""
    from backpass.cli.request import names
    from backpass.cli.trace import run

    try:
        others = [int(name) for name in names(rows)]
    except ValueError:
        raise typer.BadParameter(f"--rows {','.join(rows or [])}: name rows by number") from None
    run(model, data, target, row, others, html)


@app.command(epilog="Example: backpass export adult.safetensors --onnx adult.onnx")
def export(
    model: Model,
    onnx: Annotated[Path, typer.Option(metavar="M.onnx", help="Write the ONNX file here.")],
) -> None:
    """Write a saved model, its reading of raw columns included, for other programs to run."""
    from backpass.cli.export import run

    run(model, onnx)


@app.command()
def demo() -> None:
    """Fit a small real data set that comes with backpass; leaves nothing behind."""
    from backpass.cli.demo import run

    run()
