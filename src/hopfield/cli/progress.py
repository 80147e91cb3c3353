"""What commands say on standard error: progress, and inputs that were left out."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


def track(items: Sequence[T], label: str) -> Iterator[T]:
    """Return the items one after another, with a bar if standard error is a terminal."""
    if len(items) < 2 or not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track as with_bar

    # A bar that disappears leaves the messages and tables of a command as they are elsewhere.
    yield from with_bar(items, label, console=Console(stderr=True), transient=True)


@contextmanager
def terminal_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function of (stage, done, total) that moves a bar on standard error.

    The bar disappears at the end. Without a terminal nothing is written.
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("reading the table")

        def report(stage: str, done: int, total: int) -> None:
            bar.update(task, description=stage, completed=done, total=total)

        yield report


def report_skipped(lines: Sequence[str]) -> None:
    """Print a line for each input that was left out."""
    if lines:
        print(f"Left out {len(lines)}:", *lines, sep="\n  ", file=sys.stderr)


def report_kept(reasons: Mapping[str, str]) -> None:
    """Print a line for each column of numbers that is text because of some cells."""
    for name, reason in reasons.items():
        print(f"Kept as text, not in the pattern: {name!r} ({reason}).", file=sys.stderr)
