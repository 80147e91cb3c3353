"""Pictures in files and folders, read by Pillow."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import DataError
from ..pictures import TOO_LARGE, PictureForm, import_pillow, problem_of, to_numbers
from .dataset import Dataset
from .files import DAMAGE

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".avif"),
    *(".pgm", ".ppm", ".pbm", ".pnm", ".heic", ".heif"),
)
FORMATS = ("PNG", "JPEG", "MPO", "BMP", "GIF", "WEBP", "TIFF", "AVIF", "PPM", "HEIF")
"""Pillow's names of the formats that are read, whatever the suffix; HEIF by pillow-heif only.
Pillow knows others, for some of which it starts programs."""

LISTED = 5
"""Largest number of unreadable pictures that an error or a data set lists."""


def load_files(
    files: Sequence[Path], form: PictureForm, skip: bool, names: Sequence[str] | None = None
) -> Dataset:
    """Load pictures; without `names`, their paths become the names."""
    if names is None:
        names = [file.as_posix() for file in files] if len(files) > 1 else [files[0].name]
    images = np.zeros(0, np.float32)
    loaded: list[str] = []
    skipped: dict[str, str] = {}
    names = [as_text(name) for name in names]
    for file, name in zip(files, names, strict=True):
        numbers, problem = read_picture(file, form)
        if problem:
            skipped[name] = problem
            continue
        if not loaded:
            images = np.empty((len(files), *numbers.shape), np.float32)
        elif numbers.shape != images.shape[1:]:
            raise DataError(
                f"images must all have one size, but {loaded[0]!r} has {_size(images[0])} pixels "
                f"and {name!r} has {_size(numbers)}. Give size=(height, width) to resize them."
            )
        images[len(loaded)] = numbers
        loaded.append(name)
    if skipped and not (skip and loaded):
        raise _unreadable(dict(zip(names, files, strict=True)), skipped, form)
    place = str(files[0]) if len(files) == 1 else f"{len(files)} files"
    return Dataset(
        torch.from_numpy(images[: len(loaded)]),
        None,
        files[0].name if len(files) == 1 else "pictures",
        _source(place, skipped),
        names=tuple(loaded),
        skipped=skipped,
    )


def load_folder_of_images(path: Path, form: PictureForm, skip: bool) -> Dataset:
    """Load all pictures in a folder and its subfolders, which are classes."""
    files = sorted(pictures_in(path))
    places = [file.relative_to(path).parts for file in files]
    beside = [parts for parts in places if len(parts) == 1]
    if not files:
        kinds = f"images ({', '.join(SUFFIXES)}) or IDX files"
        raise DataError(f"{str(path)!r} must hold {kinds}, but holds neither.")
    if beside and len(beside) < len(places):
        folder = next(parts[0] for parts in places if len(parts) > 1)
        raise DataError(
            f"{str(path)!r} must have images beside subfolders or in them, which are classes, "
            f"but has both ({beside[0][0]!r} and {folder!r}). Move the former into a subfolder."
        )
    names = ["/".join(parts) for parts in places]
    loaded = load_files(files, form, skip, names)
    labels, classes = _classes([name.split("/")[0] for name in loaded.names or () if "/" in name])
    source = _source(str(path), loaded.skipped)
    return replace(loaded, name=path.resolve().name, source=source, labels=labels, classes=classes)


def pictures_in(top: Path) -> Iterator[Path]:
    """Find the pictures in a folder and its subfolders, in no order."""
    # A folder is read once, by its own path rather than by a link to it: links may be circular.
    folders: list[Path] = [top]
    linked: list[Path] = []
    seen: set[Path] = set()
    while folders or linked:
        folder = folders.pop() if folders else linked.pop()
        real = folder.resolve()
        if real in seen:
            continue
        seen.add(real)
        try:
            entries = sorted(folder.iterdir(), reverse=True)
        except OSError as error:
            raise DataError(
                f"{str(folder)!r} must be a readable folder, but is not: {error.strerror}."
            ) from None
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                (linked if entry.is_symlink() else folders).append(entry)
            elif entry.suffix.lower() in SUFFIXES and (entry.is_file() or entry.is_symlink()):
                yield entry


def _classes(folders: list[str]) -> tuple[torch.Tensor | None, tuple[str, ...]]:
    classes, labels = np.unique(folders, return_inverse=True)
    return torch.from_numpy(labels).long() if folders else None, tuple(map(str, classes))


def _source(place: str, skipped: Mapping[str, str]) -> str:
    return f"{place} ({len(skipped)} skipped: {listed_problems(skipped)})" if skipped else place


def _size(numbers: np.ndarray) -> str:
    return f"{numbers.shape[1]} × {numbers.shape[0]}"


def as_text(name: str) -> str:
    """Return the name of a file as text."""
    # Names of files may hold bytes that are no text, which no other file could store.
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def open_picture(file: Path) -> Any:
    """Open a file by Pillow as a picture of one of `FORMATS`."""
    module = import_pillow()
    module.init()  # registers the readers of all formats
    return module.open(file, formats=[name for name in FORMATS if name in module.OPEN])


def read_picture(file: Path, form: PictureForm) -> tuple[np.ndarray, str]:
    """Return a picture as numbers, or say why it has none."""
    module, nothing = import_pillow(), np.zeros(0, np.float32)
    try:
        with open_picture(file) as image:
            problem = problem_of(image, form)
            return (nothing, problem) if problem else (to_numbers(image, form), "")
    except (module.DecompressionBombError, module.DecompressionBombWarning):
        return nothing, TOO_LARGE
    except module.UnidentifiedImageError:
        return nothing, "is damaged, or of a format that Pillow does not read here"
    except DAMAGE as error:
        reason = getattr(error, "strerror", None)  # no such file, no permission
        return nothing, f"cannot be opened: {reason}" if reason else "is damaged"


def _unreadable(files: dict[str, Path], problems: dict[str, str], form: PictureForm) -> DataError:
    grey = "grey" if form.mode == "L" else "RGB"
    name, problem = next(iter(problems.items()))
    if len(problems) == 1:
        text = f"{str(files[name])!r} must be an image that can become {grey}, but {problem}."
    else:
        text = (
            f"all {len(files)} files must be images that can become {grey}, but {len(problems)} "
            f"cannot: {listed_problems(problems)}."
        )
    advice = " unreadable='skip' leaves such files out." if len(problems) < len(files) else ""
    return DataError(text + advice)


def listed_problems(problems: Mapping[str, str]) -> str:
    """Return names of files with their problems, and the number of further ones."""
    texts = [f"{name!r} {problem}" for name, problem in list(problems.items())[:LISTED]]
    more = len(problems) - LISTED
    return "; ".join(texts) + (f"; and {more} more" if more > 0 else "")
