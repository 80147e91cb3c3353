"""`hopfield plot`: a file of records as one sheet of figures."""

import io
from pathlib import Path

from .. import plots
from ..errors import HopfieldError
from ..experiments import records
from ..files import write_whole

KINDS = (".png", ".svg", ".pdf")
DPI = 150


def plot(file: str, out: str) -> None:
    """Draw a file of records and say where.

    Args:
        file: the records.
        out: the picture; "" is a .png beside the records.

    Raises:
        HopfieldError: where one of them cannot be used.
    """
    source = Path(file)
    target = Path(out) if out else source.with_suffix(".png")
    if target.suffix not in KINDS:
        raise HopfieldError(
            f"--out must end in {', '.join(KINDS)}, but is {out!r}. Use {target.stem}.png."
        )
    _, lines = records.read(source)
    picture = io.BytesIO()
    plots.sheet(lines).savefig(picture, format=target.suffix[1:], dpi=DPI)
    write_whole(target, picture.getvalue())
    print(target)
