"""The commands and their help. Each imports its work when it runs."""

import difflib
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated, Any

import typer

from . import INTERRUPTED, memory_commands
from .memory_commands import AsJson, option

HELP_OPTIONS = ["-h", "--help"]
HELP_WIDTH = 88
MISTAKE, USAGE = 1, 2
"""Exit status of a mistake in a value, and of one in the command line."""

ALIKE = 0.7
"""Similarity from which an option is suggested for an unknown one. Below it, suggestions such as
--data for --beta mislead."""

app = typer.Typer(
    name="hopfield",
    help="Associative memories: store patterns, retrieve them from damaged cues.",
    epilog="Each command explains itself: hopfield demo --help",
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": HELP_OPTIONS, "max_content_width": HELP_WIDTH},
)

DataSet = Annotated[
    str,
    option(
        "--data",
        "NAME_OR_PATH",
        "digits, mnist or fashion-mnist; a folder of images or of IDX files; a .npy, .npz or .csv "
        "file.",
    ),
]
Folder = Annotated[str, option("--out", "DIR", "Folder for the files; made if missing.")]
Seed = Annotated[str, option("--seed", "N", "Seed of all randomness, from 0 on.")]


def _print_version(asked: bool) -> None:
    if asked:
        print(f"hopfield {metadata.version('hopfield')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Associative memories: store patterns, retrieve them from damaged cues."""
    if context.invoked_subcommand is None:
        print(context.get_help())


app.command(short_help="Store files in a memory.")(memory_commands.store)
app.command(short_help="Recall from a memory by damaged or partial cues.")(memory_commands.recall)
app.command(short_help="Remove patterns from a memory.")(memory_commands.remove)
app.command(short_help="Check that a memory is as it was stored.")(memory_commands.verify)
app.command(short_help="Join the files of a table on disk.")(memory_commands.compact)


@app.command(short_help="Measure what two documents claim; write a page about it.")
def demo(
    out: Folder = "demo", data_set: DataSet = "digits", seed: Seed = "0", as_json: AsJson = False
) -> None:
    """Measure what two introductions to Hopfield networks claim, and write a page about it.

    Stores real images in three networks, hides half of each, and counts those recalled. Then
    measures energies, steps, cycles, overflow and attention. Writes DIR/index.html, which opens
    in any browser, DIR/playground.html, to which it links, and DIR/records.jsonl with every
    number. Takes under a minute on digits.
    """
    from hopfield_studies.demo import demonstrate

    from .info import load

    demonstrate(load(data_set, "--data"), out, seed, as_json=as_json)


@app.command(short_help="Reproduce published results; write a page about them.")
def reproduce(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Results to reproduce; all by default."),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full/--quick", help="Within an hour, or within minutes.")
    ] = False,
    out: Folder = "reproduced",
    seed: Seed = "0",
    processes: Annotated[
        str,
        option("--processes", "N", "Processes at the same time; one per core by default."),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Measure published results, compare them with theory, and judge whether they hold.

    NAME is hebbian-curve, modern-theorems, sparse-exact, dense-capacity, exponential-capacity,
    learning-rules, attention, walkthrough, from-scratch, capacity-exponent, mixtures,
    temperature, sequence-capacity, perceptron-capacity, correlated-patterns, bidirectional,
    graded, epanechnikov, mean-shift or metastable.
    Writes DIR/index.html, with figures, tolerances and their reasons, and
    DIR/records.jsonl. A run that was stopped continues when started again. The walkthrough
    and metastable are measured on MNIST where HOPFIELD_DATA holds it, else on digits. The last
    line counts the results that hold; the exit status is 1 where one does not.
    """
    from hopfield_studies.reproduce import reproduce as run_results

    raise typer.Exit(run_results(names or [], full, out, seed, processes, as_json=as_json))


@app.command(short_help="Play with a memory in a browser.")
def play(
    export: Annotated[
        str,
        option("--export", "FILE", "Write the page to this file, and serve nothing."),
    ] = "",
    data_set: Annotated[
        str,
        option(
            "--data",
            "NAME_OR_PATH",
            "digits, mnist or fashion-mnist; a folder of images or of IDX files; a "
            "memory file or table; a .npy, .npz or .csv file. By default digits.",
        ),
    ] = "",
    port: Annotated[str, option("--port", "N", "Port of the server; 0 for any free one.")] = "8000",
) -> None:
    """Open a page on which a memory can be played with: draw, hide, recall, compare.

    Serves the page on this computer only, until Ctrl-C, and opens it in a browser. The library
    computes for the data of --data, up to 100000 patterns, explains retrievals and diagnoses
    memories. For other pictures the page computes itself, in JavaScript.

    With --export, the page is one file of HTML that asks no server for anything.
    """
    from .play import play as show_page

    show_page(export, data_set, port)


@app.command(short_help="Draw a file of records.")
def plot(
    records: Annotated[
        str, typer.Argument(metavar="RECORDS", help="A file of records, JSON lines.")
    ],
    out: Annotated[
        str,
        option("-o --out", "FILE", "A .png, .svg or .pdf file; a .png next to RECORDS by default."),
    ] = "",
) -> None:
    """Draw every figure that a file of records can show, on one sheet."""
    from .plot import draw

    draw(records, out)


@app.command(short_help="Describe a memory or a data set.")
def info(
    name_or_path: Annotated[
        str,
        typer.Argument(
            metavar="NAME_OR_PATH",
            help="A memory that hopfield store wrote, or as for --data of hopfield demo.",
        ),
    ] = "digits",
    as_json: AsJson = False,
) -> None:
    """Print the number of patterns of a memory or a data set, and what they are.

    Of a memory also its network and names, and pairs of patterns that are nearly the same; of
    a data set its shape and source.
    """
    from .info import describe

    describe(name_or_path, as_json=as_json)


@app.command(short_help="Fill the gaps of a table.")
def impute(
    table: Annotated[
        str, typer.Argument(metavar="TABLE", help="A CSV or Parquet file; - for standard input.")
    ],
    out: Annotated[str, option("-o --out", "FILE", "Standard output by default.")] = "",
    interval: Annotated[
        str,
        option("--interval", "SHARE", "Also write bounds: .9 for 90 % of gaps."),
    ] = "",
    categories: Annotated[
        str,
        option("--categories", "NAMES", "Columns of codes, such as a,b."),
    ] = "",
    missing: Annotated[
        str,
        option("--missing", "MARKS", "Further marks of gaps, such as -999,k.A."),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Fill the missing cells of a table from its similar rows, and say how sure each column is.

    In a file of text a cell is missing if it is empty, or NA, NaN, null or ?, in Parquet if it is
    null or NaN. Fields are separated by commas, semicolons, tabs or vertical bars; where not by
    commas, a comma may be the decimal point.
    Columns of text are categories where their values repeat. Dates, names and row numbers are
    kept. All other cells are written byte for byte as they came. The summary goes to standard
    error.

    With --interval, each filled column of numbers has two more columns at the end, NAME_low and
    NAME_high.
    """
    from .impute import impute as fill_file

    fill_file(table, out, interval, categories, missing, as_json=as_json)


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit status. A mistake gives one line, no traceback."""
    if sys.stderr is None:  # closed, which is allowed: its messages are lost
        sys.stderr = open(os.devnull, "w")
    if sys.stdout is None:
        return _fail("standard output is closed. Leave it open, or send it to a file.", MISTAKE)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without β prints ? and goes on
    is_shared = "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1"
    if is_shared and "recall" not in arguments[:1]:
        return _fail("torchrun shares the work of recall only. Run others without it.", USAGE)
    try:
        status = _command().main(list(arguments), prog_name="hopfield", standalone_mode=False)
        sys.stdout.flush()
        if status == INTERRUPTED:  # typer makes an exit status of Ctrl-C
            return _fail("interrupted.", INTERRUPTED)
        return status if isinstance(status, int) else 0
    except BrokenPipeError:
        _abandon_output()
        return MISTAKE
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted.", INTERRUPTED)
    except OSError as error:
        _abandon_output()
        where = f" ({error.filename})" if error.filename else ""
        return _fail(f"{error.strerror or error}{where}.", MISTAKE)
    except Exception as error:
        return _explain(error, arguments)


def _explain(error: Any, arguments: Sequence[str]) -> int:
    if hasattr(error, "format_message"):
        # A wrong command or option; typer does not publish the class of this error.
        if getattr(error, "possibilities", None):
            error.possibilities = difflib.get_close_matches(
                error.option_name, error.possibilities, cutoff=ALIKE
            )
        message = error.format_message().rstrip(".")
        names = [name for name in arguments[:1] if name in _command().commands]
        stop = "" if message.endswith("?") else "."
        return _fail(f"{message}{stop} See {' '.join(['hopfield', *names])} --help.", USAGE)
    from ..errors import HopfieldError

    if isinstance(error, HopfieldError):
        return _fail(str(error), MISTAKE)
    raise error


def _abandon_output() -> None:
    # The reader has gone: what is left in the buffer must not raise again on exit.
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _command() -> Any:
    return typer.main.get_command(app)


def _fail(message: str, status: int) -> int:
    start = "\r\033[K" if sys.stderr.isatty() else ""
    print(f"{start}hopfield: {' '.join(message.split())}", file=sys.stderr)
    return status


def reference() -> str:
    """Return the text of docs/cli.md, the help of every command."""
    root_command = _command()
    pages = [("hopfield", root_command)]
    pages += [(f"hopfield {name}", command) for name, command in root_command.commands.items()]
    parts = [
        "# Command line\n\n"
        "Made by `python -m hopfield.cli.commands > docs/cli.md` from the help texts.\n"
    ]
    for name, command in pages:
        context = command.context_class(
            command, info_name=name, terminal_width=HELP_WIDTH, help_option_names=HELP_OPTIONS
        )
        parts.append(f"## {name}\n\n```text\n{command.get_help(context).rstrip()}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    print(reference(), end="")
