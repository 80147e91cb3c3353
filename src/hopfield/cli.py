"""The command line: thin verbs, files in and out, a user's mistake is one line."""

import json
import os
import shutil
import sys
import tempfile
import textwrap
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from . import data, plots, report
from .errors import HopfieldError, check_integer
from .experiments import claims, demo, records
from .experiments.headlines import headline
from .files import write_whole

HELP_WIDTH = 88
SEEDS = 2**31 - 1
INTERRUPTED = 130

app = typer.Typer(
    name="hopfield",
    help="Associative memories: store patterns, retrieve them from damaged cues.",
    epilog="Each command explains itself: hopfield demo --help",
    add_completion=False,
    rich_markup_mode=None,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": HELP_WIDTH,
    },
)

DataSet = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="NAME_OR_PATH",
        help="digits, mnist, fashion-mnist, a folder of images, or a .npy or .npz file.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


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


@app.command("demo", short_help="Measure what two documents claim; write a page about it.")
def demo_command(
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", help="Folder to write to; made if missing.")
    ] = "demo",
    data_set: DataSet = "digits",
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Same seed, same figures; from 0 on.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Measure what two introductions to Hopfield networks claim, and write a page about it.

    Stores real images in three networks, hides half of each, and counts what comes back; then
    goes through energies, steps, cycles, overflow and attention. Writes DIR/index.html, which
    opens in any browser, and DIR/records.jsonl with every figure on it. Takes under a minute on
    digits.
    """
    check_integer("--seed", seed, high=SEEDS)
    plots.figure()  # says at once, not after the work, that matplotlib is missing
    dataset = demo.check(_load(data_set, "--data"))
    folder = _prepared(out)
    start = time.perf_counter()
    lines = _measure(dataset, seed, quiet=as_json)
    seconds = time.perf_counter() - start
    head = records.header(data=dataset.name, seed=seed, seconds=round(seconds, 1))
    verdicts = claims.judge(lines)
    files = {"records": folder / "records.jsonl", "page": folder / "index.html"}
    records.write(files["records"], head, [*lines, *verdicts])
    write_whole(files["page"], report.page(head, lines).encode())
    if as_json:
        named = {name: str(path) for name, path in files.items()}
        print(json.dumps({**head, **named, "claims": verdicts}, ensure_ascii=False))
        return
    _print_verdicts(verdicts)
    for name, path in files.items():
        print(f"{name:<10}{path}")


def _load(name: str, option: str) -> data.Dataset:
    """The data set; errors speak of the option, not of a Python argument."""
    if not name:
        raise HopfieldError(f"{option} must be a name or a path, but is empty. Try digits.")
    try:
        return data.load(name)
    except HopfieldError as error:
        raise HopfieldError(str(error).replace("name_or_path", option)) from None


def _prepared(out: str) -> Path:
    """The folder, made if missing, and sure to be one that can be written to."""
    if not out:
        raise HopfieldError("--out must be a folder, but is empty. For this one say --out .")
    return _writable(Path(out))


def _writable(out: Path) -> Path:
    """The folder, made if missing, in which a file could be written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            return out
    except FileExistsError:
        raise HopfieldError(f"--out must be a folder, but {out} is a file.") from None
    except OSError as error:
        raise HopfieldError(
            f"--out must be a folder that can be written to, but {out} is not: "
            f"{error.strerror or error}."
        ) from None


def _measure(dataset: data.Dataset, seed: int, *, quiet: bool) -> list[records.Record]:
    """All records, each step told as it starts (standard error) and as it ends (output)."""
    # One thread: sums come out alike on every machine, and small products gain nothing from more.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        lines: list[records.Record] = []
        steps = demo.plan(seed)
        for i, step in enumerate(steps, 1):
            _tell(f"[{i:2}/{len(steps)}] {step.title} …")
            made = list(step.run(dataset))
            lines += made
            _tell("")
            if not quiet:
                _print_row(step.title, headline(made))
        return lines
    finally:
        torch.set_num_threads(threads)


def _tell(progress: str) -> None:
    """What is being done, on standard error: one line that is overwritten on a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{progress}", end="", file=sys.stderr, flush=True)
    elif progress:
        print(progress, file=sys.stderr, flush=True)


def _print_row(first: str, second: str) -> None:
    """Two columns, the second wrapped to the terminal."""
    width = max(60, min(110, shutil.get_terminal_size().columns))
    indent = " " * 26
    text = textwrap.fill(second, width, initial_indent=indent, subsequent_indent=indent)
    print(f"{first:<26}{text[len(indent) :]}", flush=True)


def _print_verdicts(verdicts: Sequence[dict[str, Any]]) -> None:
    """The claims, one row each."""
    print()
    for row in verdicts:
        _print_row(row["verdict"], row["case"])
    print()


@app.command(short_help="Say what a data set holds.")
def info(
    name_or_path: Annotated[
        str, typer.Argument(metavar="NAME_OR_PATH", help="As for --data of hopfield demo.")
    ] = "digits",
    as_json: AsJson = False,
) -> None:
    """Say what a data set holds: how many patterns, of which shape, from where."""
    dataset = _load(name_or_path, "NAME_OR_PATH")
    if not as_json:
        print(dataset)
        return
    facts = {
        "name": dataset.name,
        "patterns": len(dataset.patterns),
        "shape": list(dataset.shape),
        "split": dataset.split,
        "labels": None if dataset.labels is None else len(dataset.labels.unique()),
        "source": dataset.source,
    }
    print(json.dumps(facts, ensure_ascii=False))


def run(arguments: Sequence[str]) -> int:
    """Run the command line; return its exit status, and never show a traceback for a mistake."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without β prints ? and goes on
    try:
        status = _command().main(list(arguments), prog_name="hopfield", standalone_mode=False)
        sys.stdout.flush()
        if status == INTERRUPTED:  # typer makes an exit status of Ctrl-C
            return _fail("interrupted.", INTERRUPTED)
        return status if isinstance(status, int) else 0
    except BrokenPipeError:
        # Who reads has gone; what is left in the buffer must not raise again on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted.", INTERRUPTED)
    except HopfieldError as mistake:
        return _fail(str(mistake), 1)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        return _fail(f"{error.strerror or error}{where}.", 1)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        # What typer says of a wrong command or option; its class is not part of its interface.
        said = error.format_message().rstrip(".")
        path = getattr(getattr(error, "ctx", None), "command_path", None) or "hopfield"
        return _fail(f"{said}. See {path} --help.", 2)


def _command() -> Any:
    """The app as typer runs it."""
    return typer.main.get_command(app)


def _fail(message: str, status: int) -> int:
    """One line on standard error."""
    _tell("")
    print(f"hopfield: {' '.join(message.split())}", file=sys.stderr)
    return status


def reference() -> str:
    """docs/cli.md: the help of every command."""
    root_command = _command()
    pages = [("hopfield", root_command)]
    pages += [(f"hopfield {name}", each) for name, each in root_command.commands.items()]
    parts = [
        "# Command line\n\nMade by `python -m hopfield.cli > docs/cli.md` from the help texts.\n"
    ]
    for name, each in pages:
        context = each.context_class(
            each, info_name=name, terminal_width=HELP_WIDTH, help_option_names=["-h", "--help"]
        )
        parts.append(f"## {name}\n\n```text\n{each.get_help(context).rstrip()}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    print(reference(), end="")
