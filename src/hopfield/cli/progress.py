"""What commands say on standard error: progress, and inputs that were left out."""

import sys
from collections.abc import Iterator, Sequence
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


def report_skipped(lines: Sequence[str]) -> None:
    """Print a line for each input that was left out."""
    if lines:
        print(f"Left out {len(lines)}:", *lines, sep="\n  ", file=sys.stderr)
