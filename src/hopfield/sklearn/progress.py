"""Progress of long work: reports of (stage, part done, parts in all)."""

from collections.abc import Callable

from ..checks import check_integer

Report = Callable[[str, int, int], None]


def silent(stage: str, done: int, total: int) -> None:
    """Report nothing."""


class Printer:
    """Prints a line whenever a further tenth of a stage is done."""

    def __init__(self) -> None:
        self.last = ("", -1)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Print the stage and the share of it that is done."""
        tenth = 10 * done // max(1, total)
        if (stage, tenth) != self.last:
            self.last = stage, tenth
            print(f"[HopfieldImputer] {stage}: {10 * tenth} %", flush=True)


def as_report(verbose: object) -> Report:
    """Return the report that the argument `verbose` means."""
    if callable(verbose):
        return verbose
    level = int(verbose) if isinstance(verbose, bool) else verbose
    return Printer() if check_integer("verbose", level) else silent
