"""Inputs of `hopfield store` and `hopfield recall`: files and folders in, rows out."""

from collections.abc import Sequence
from pathlib import Path

from ..checks import short_repr
from ..corruption import SIDES
from ..errors import HopfieldError
from ..stores.disk.paths import names_table
from . import arrays, columns, pictures
from .form import RowForm
from .reading import ReadOptions, Rows, joined

ENDINGS = ".npy, .npz, .safetensors, .csv, .tsv or .parquet"
ONLY_FOR = {
    **dict.fromkeys(("size", "mode", "skip", "half"), "pictures"),
    **dict.fromkeys(("columns", "unscaled"), "columns"),
    "array": "arrays",
}
"""Options and the kind of rows that they are for."""

SINGULAR = {"pictures": "a picture", "columns": "a table", "arrays": "an array"}


def read_inputs(
    paths: Sequence[str], options: ReadOptions, form: RowForm | None, argument: str = "INPUT"
) -> tuple[Rows, RowForm, list[str]]:
    """Return the rows of all inputs, their form, and a line for each input that was left out.

    A given form is that of the rows stored before. Messages name the inputs by `argument`.
    """
    kinds = [_kind(path, argument) for path in paths]
    for path, kind in zip(paths, kinds, strict=True):
        if kind != kinds[0]:
            raise HopfieldError(
                f"{argument} must be of one kind, but {paths[0]!r} is {SINGULAR[kinds[0]]} and "
                f"{path!r} is {SINGULAR[kind]}."
            )
    kind = kinds[0]
    if form is not None and form.kind != kind:
        raise HopfieldError(
            f"{argument} must fit the memory, which holds {form.describe()}, but {paths[0]!r} is "
            f"{SINGULAR[kind]}."
        )
    _check_options(options, kind, argument)
    if kind == "pictures":
        return pictures.read_pictures(paths, options, form)
    if kind == "columns":
        return (*columns.read_tables(paths, options, form), [])
    return (*_read_arrays(paths, options, form), [])


def _kind(path: str, argument: str) -> str:
    if path == "-":
        return "columns"
    suffix = Path(path).suffix.lower()
    if not path or not Path(path).exists():
        raise HopfieldError(
            f"{argument} must be files or folders, but {short_repr(path)} is not there."
        )
    if pictures.is_picture(Path(path)) and not names_table(path):
        return "pictures"
    if suffix in columns.SUFFIXES:
        return "columns"
    if suffix in arrays.SUFFIXES:
        return "arrays"
    raise HopfieldError(
        f"{argument} must be pictures, folders of pictures, or end in {ENDINGS}, but is {path!r}."
    )


def _check_options(options: ReadOptions, kind: str, argument: str) -> None:
    given = {"array": options.array, **vars(options.pictures), **vars(options.table)}
    for name, wanted in ONLY_FOR.items():
        if given[name] and kind != wanted:
            raise HopfieldError(
                f"--{name} is for {wanted}, but {argument} is {SINGULAR[kind]}. Leave it out."
            )
    options.missing_number()
    if (options.missing == "transparent") != (kind == "pictures") and options.missing:
        right = "transparent" if kind == "pictures" else "nan or a number"
        raise HopfieldError(
            f"--missing must be {right} for {SINGULAR[kind]}, but is {options.missing!r}."
        )
    if kind != "pictures":
        return
    if options.pictures.mode not in ("", "L", "RGB"):
        raise HopfieldError(f"--mode must be L or RGB, but is {options.pictures.mode!r}.")
    if options.pictures.half not in ("", *SIDES):
        raise HopfieldError(f"--half must be {', '.join(SIDES)}, but is {options.pictures.half!r}.")
    if options.names:
        raise HopfieldError("--names is for tables and arrays: the name of a picture is its path.")
    if options.values not in ("", "folder"):
        raise HopfieldError(
            f"--values must be folder for pictures, whose value is then the name of their folder, "
            f"but is {options.values!r}."
        )


def _read_arrays(
    paths: Sequence[str], options: ReadOptions, form: RowForm | None
) -> tuple[Rows, RowForm]:
    parts, shapes = zip(*(arrays.read_arrays(Path(path), options) for path in paths), strict=True)
    shape = form.shape if form else shapes[0]
    for path, other in zip(paths, shapes, strict=True):
        if other != shape:
            raise HopfieldError(
                f"rows must have the shape {shape}, as {'stored' if form else repr(paths[0])}, but "
                f"those of {path!r} have the shape {other}."
            )
    rows = joined(parts)
    _check_finite(rows, options)
    return rows, form or RowForm("arrays", shape)


def _check_finite(rows: Rows, options: ReadOptions) -> None:
    wrong = rows.numbers.isinf() if options.missing else ~rows.numbers.isfinite()
    if not bool(wrong.any()):
        return
    row = int(wrong.any(1).nonzero()[0])
    is_nan = bool(rows.numbers[row].isnan().any()) and not options.missing
    hint = " --missing nan reads NaN as unknown." if is_nan else ""
    raise HopfieldError(
        f"rows must hold finite numbers, but {rows.names[row]!r} has {'NaN' if is_nan else 'inf'}."
        f"{hint}"
    )
