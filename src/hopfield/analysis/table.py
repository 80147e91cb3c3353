"""Text tables of results."""

from collections.abc import Sequence


def table(lines: Sequence[Sequence[str]]) -> str:
    """Lay out columns, the first to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = [[line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])] for line in lines]
    return "\n".join("  ".join(line).rstrip() for line in aligned)
