"""The commands and their options: what users type, turned into calls.

Each command imports what it needs when it runs, so that `--help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backpass.cli.options import (
    Data,
    Decimal,
    Encoding,
    FitsMarkers,
    FitsTarget,
    Json,
    Model,
    choices,
    examples,
)
from backpass.cli.request import FitRequest, markers, names

app = typer.Typer(
    help="Classifiers trained by backpropagation: fit, look inside, predict.",
    no_args_is_help=False,
    # Rich's panels cut the names of options short where a window is narrow.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
    epilog=examples(
        "backpass fit adult.csv --target income --out adult.safetensors",
        "backpass fit adult.csv --target income --test adult-test.csv --report adult.html",
        "backpass fit births.csv --target low --mle --missing drop",
        "backpass fit digits.parquet --target digit --hidden 64,64",
        "backpass fit '2024-*.csv' --target churned --drop id --cv --json",
    ),
    short_help="Fit a classifier to a table.",
)
def fit(
    data: Data,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="COL",
            help="The column of classes; libsvm text and .npz files with an array y need none.",
        ),
    ] = None,
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
        typer.Option(
            metavar="0.2",
            help="Share of rows held out, by class; 0 for none. (default 0.2; 0 with --mle)",
        ),
    ] = None,
    C: Annotated[
        float | None,
        typer.Option("--C", metavar="1.0", help="Inverse strength of the penalty. (default 1)"),
    ] = None,
    cv: Annotated[
        bool, typer.Option("--cv", help="Choose C by the log-loss of rows left out, in five folds.")
    ] = False,
    mle: Annotated[
        bool,
        typer.Option("--mle", help="Maximum likelihood: no penalty, errors and intervals."),
    ] = False,
    hidden: Annotated[
        str | None,
        typer.Option(metavar="64,64", help="Fit a perceptron with hidden layers of these sizes."),
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option(metavar="0.1", help="The perceptron's L2 penalty. (default 0.1)"),
    ] = None,
    dropout: Annotated[
        float | None,
        typer.Option(
            metavar="0.2", help="Share of hidden units left out of each step. (default 0)"
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Most visits to every row. (default 200)"),
    ] = None,
    no_early_stopping: Annotated[
        bool,
        typer.Option(
            "--no-early-stopping",
            help="Set no rows aside; train until the loss on the rows fitted on is flat.",
        ),
    ] = False,
    categorical: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Columns that are categories.")
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(metavar="A,B", help="Columns of free text, to be read word by word."),
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Columns to leave out.")
    ] = None,
    weight: Annotated[
        str | None, typer.Option(metavar="COL", help="The column of row weights.")
    ] = None,
    class_weight: Annotated[
        str | None,
        typer.Option(
            metavar="balanced",
            help="Weigh classes to equal shares.",
            autocompletion=choices("balanced"),
        ),
    ] = None,
    missing: Annotated[
        str | None,
        typer.Option(
            metavar="indicator|drop|raise",
            help="Missing values: fill in and mark, leave rows out, or refuse. "
            "(default indicator; raise with --mle)",
            autocompletion=choices("indicator", "drop", "raise"),
        ),
    ] = None,
    missing_values: Annotated[
        str | None,
        typer.Option(metavar="'?,NA'", help="Markers of missing values, instead of the usual."),
    ] = None,
    encoding: Encoding = "utf-8",
    decimal: Decimal = ".",
    no_standardize: Annotated[
        bool, typer.Option("--no-standardize", help="Take numbers on their own scale.")
    ] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Most threads to use.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="Decides what is drawn at random.")
    ] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
    json: Json = False,
) -> None:
    """Fit a classifier to a table, and say how good it is on rows that it has not seen."""
    typed = dict(locals())  # every option above, as Typer converted it
    from backpass.cli.fit import run

    run(FitRequest.checked(**typed))


@app.command(
    epilog=examples(
        "backpass predict adult.safetensors new.csv",
        "backpass predict adult.safetensors new.csv --proba --id name --out predicted.csv",
        "backpass predict adult.safetensors new.parquet --out predicted.parquet",
    ),
    short_help="Predict the class of every row of a table.",
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
    missing_values: FitsMarkers = None,
    encoding: Encoding = "utf-8",
    decimal: Decimal = ".",
) -> None:
    """Predict the class of every row of a table, in its order; columns are matched by name."""
    from backpass.cli.predict import run

    if out is not None and out.suffix not in (".csv", ".parquet"):
        raise typer.BadParameter(f"--out {out}: name a .csv or a .parquet file")
    if out is not None and out.exists() and data.exists() and out.samefile(data):
        raise typer.BadParameter(f"--out {out} is DATA itself; name another file")
    run(model, data, out, proba, names(id), markers(missing_values), encoding, decimal)


@app.command(
    epilog=examples(
        "backpass evaluate adult.safetensors adult-test.csv",
        "backpass evaluate adult.safetensors survey.csv --target earns --json",
    ),
    short_help="Measure a saved model on a table with known classes.",
)
def evaluate(
    model: Model,
    data: Data,
    target: FitsTarget = None,
    missing_values: FitsMarkers = None,
    encoding: Encoding = "utf-8",
    decimal: Decimal = ".",
    json: Json = False,
) -> None:
    """Measure a saved model on a table with known classes."""
    from backpass.cli.evaluate import run

    run(model, data, target, markers(missing_values), encoding, decimal, json)


@app.command(
    epilog=examples("backpass show adult.safetensors"),
    short_help="Print a saved model: its coefficient table, or its layers.",
)
def show(model: Model) -> None:
    """Print a saved model: its coefficient table, or its layers."""
    from backpass.cli.show import run

    run(model)


@app.command(
    epilog=examples(
        "backpass trace adult.safetensors adult.csv --row 7 --html row7.html",
        "backpass trace adult.safetensors adult.csv --row 7 --rows 1,2 --html rows.html",
    ),
    short_help="Draw every z and δ of a saved model on a row.",
)
def trace(
    model: Model,
    data: Data,
    html: Annotated[Path, typer.Option(metavar="T.html", help="Write the page here.")],
    row: Annotated[int, typer.Option(metavar="N", help="The row to look at; 1 is the first.")] = 1,
    rows: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Rows to compare it with.")
    ] = None,
    target: FitsTarget = None,
    missing_values: FitsMarkers = None,
    encoding: Encoding = "utf-8",
    decimal: Decimal = ".",
) -> None:
    """Draw every z and δ of a saved model on a row: the gradient, term by term, as one page."""
    from backpass.cli.rows import TextForm
    from backpass.cli.trace import run

    if html.suffix not in (".html", ".htm"):  # DATA typed in its place would be overwritten
        raise typer.BadParameter(f"--html {html}: a page ends in .html")
    try:
        others = [int(name) for name in names(rows)]
    except ValueError:
        raise typer.BadParameter(f"--rows {','.join(rows or [])}: name rows by number") from None
    form = TextForm(encoding, decimal)
    run(model, data, target, row, others, html, markers(missing_values), form)


@app.command(
    epilog=examples("backpass export adult.safetensors --onnx adult.onnx"),
    short_help="Write a saved model for other programs to run.",
)
def export(
    model: Model,
    onnx: Annotated[Path, typer.Option(metavar="M.onnx", help="Write the ONNX file here.")],
) -> None:
    """Write a saved model, its reading of raw columns included, for other programs to run."""
    from backpass.cli.export import run

    if onnx.suffix != ".onnx":  # MODEL typed in its place would be overwritten
        raise typer.BadParameter(f"--onnx {onnx}: an ONNX file ends in .onnx")
    run(model, onnx)


@app.command(
    epilog=examples("backpass demo"),
    short_help="Fit a small real data set that comes with backpass.",
)
def demo() -> None:
    """Fit a small real data set that comes with backpass; leaves nothing behind."""
    from backpass.cli.demo import run

    run()
