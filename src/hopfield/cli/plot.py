"""`hopfield plot`: a file of records as one sheet of figures."""

import io
from pathlib import Path

from .. import plots
from ..checks import short_repr
from ..errors import DataError, HopfieldError
from ..experiments import records
from ..files import write_whole

KINDS = (".png", ".svg", ".pdf")
DPI = 150


def draw(file: str, out: str) -> None:
    """Draw a file of records and print the path of the picture.

    Args:
        file: path of the records.
        out: path of the picture; "" is a .png next to the records.

    Raises:
        HopfieldError: where one of them cannot be used.
    """
    source = _readable(file)
    target = Path(out) if out else source.with_suffix(".png")
    if target.suffix not in KINDS:
        raise HopfieldError(
            f"--out must end in {', '.join(KINDS)}, but is {out!r}. Use {target.stem}.png."
        )
    if not target.parent.is_dir():
        raise HopfieldError(f"--out must lie in a folder, but {target.parent} is none. Make it.")
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
        hint = "Name a file that a run wrote."
        raise HopfieldError(str(error).replace(records.ANOTHER_FILE, hint)) from None


def _readable(file: str) -> Path:
    path = Path(file)
    if not path.is_file():
        what = "a folder" if path.is_dir() else "not there"
        inside = path / "records.jsonl"
        hint = f"Did you mean {inside}?" if inside.is_file() else "Name a file that a run wrote."
        raise HopfieldError(f"RECORDS must be a file, but {short_repr(file)} is {what}. {hint}")
    return path
