"""`hopfield plot`: a file of records as one sheet of figures."""

import io
from pathlib import Path

from .. import plots
from ..errors import DataError, HopfieldError
from ..experiments import records
from ..files import write_whole
from .reading import check_file, check_out

KINDS = (".png", ".svg", ".pdf")
DPI = 150
HINT = "Name a file that a run wrote."


def draw(file: str, out: str) -> None:
    """Draw a file of records and print the path of the picture.

    Args:
        file: path of the records.
        out: path of the picture; "" is a .png next to the records.

    Raises:
        HopfieldError: where one of them cannot be used.
    """
    inside = Path(file) / "records.jsonl"
    hint = f"Did you mean {inside}?" if inside.is_file() else HINT
    source = check_file("RECORDS", file, f" {hint}")
    target = Path(out) if out else source.with_suffix(".png")
    if target.suffix not in KINDS:
        raise HopfieldError(
            f"--out must end in {', '.join(KINDS)}, but is {out!r}. Use {target.stem}.png."
        )
    check_out(str(target))
    lines = _records(source)
    picture = io.BytesIO()
    try:
        sheet = plots.sheet(lines)
    except DataError as error:
        if (cause := error.__cause__) is None:
            raise
        raise HopfieldError(
            f"RECORDS must be complete, but {file} is not ({type(cause).__name__}: {cause}). "
            "Run what made it once more."
        ) from None
    sheet.savefig(picture, format=target.suffix[1:], dpi=DPI)
    write_whole(target, picture.getvalue())
    print(target)


def _records(source: Path) -> list[records.Record]:
    try:
        return records.read(source)[1]
    except HopfieldError as error:
        raise HopfieldError(str(error).replace(records.ANOTHER_FILE, HINT)) from None
