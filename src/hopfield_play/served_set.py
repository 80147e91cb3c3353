"""The data of a served page: pictures or vectors of a set, a folder or a memory file."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from hopfield import Memory, data, load
from hopfield.cli.form import form_of
from hopfield.cli.info import DATA_FILES
from hopfield.cli.info import load as load_named
from hopfield.cli.pictures import is_picture
from hopfield.data.images import pictures_in
from hopfield.errors import DataError, FileFormatError
from hopfield.files import expanded
from hopfield.stores.disk.paths import names_table

from .networks import KINDS, Settings, settings_of

MOST_PATTERNS, MOST_ENTRIES = 100_000, 4096
"""Largest number of patterns, and of pixels or entries of one. More are refused."""

SIDE = 32
"""Side to which pictures in a folder are resized, unless all are small squares of one size."""

LONGEST_LABEL = 60
GREY = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in grey (ITU-R 601)."""


@dataclass(frozen=True)
class Square:
    """The square in which the page draws a row.

    Attributes:
        places: `(dim,)`, the pixel of each entry. Pixels without an entry stay empty.
        side: the side of the square in pixels.
    """

    places: Tensor
    side: int

    @property
    def is_full(self) -> bool:
        """Return True if no pixel is empty."""
        return len(self.places) == self.side**2

    def crop(self) -> str:
        """Return an index of Python that takes the entries from all pixels; empty for all."""
        if self.is_full:
            return ""
        if int(self.places[-1]) < len(self.places):
            return f"[:{len(self.places)}]"
        (top, left), (bottom, right) = (divmod(int(self.places[i]), self.side) for i in (0, -1))
        lines, columns = f"{top}:{bottom + 1}", f"{left}:{right + 1}"
        return f".reshape({self.side}, {self.side})[{lines}, {columns}].flatten()"

    def pixels_of(self, rows: Tensor, empty: float = 0.0) -> Tensor:
        """Return rows `(*batch, dim)` as pixels `(*batch, side²)`."""
        pixels = rows.new_full((*rows.shape[:-1], self.side**2), empty)
        pixels[..., self.places] = rows
        return pixels

    def rows_of(self, pixels: Tensor) -> Tensor:
        """Return the entries of pixels `(*batch, side²)`."""
        return pixels[..., self.places]


@dataclass(frozen=True)
class Start:
    """The settings of a memory file, with which the page starts.

    Attributes:
        settings: settings by the names of the page.
        notes: sentences about what the page shows otherwise than the file has it.
    """

    settings: Settings = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class ServedSet:
    """Patterns with values in [0, 1], of which 1 is full ink, and how the page shows them.

    Attributes:
        title: the name in the list of data sets.
        rows: `(n, dim)`, float32.
        labels: one text per pattern, which may be empty.
        square: the place of each entry.
        script: an expression of Python for the rows.
        start: the settings to start with.
    """

    title: str
    rows: Tensor
    labels: Sequence[str]
    square: Square
    script: str
    start: Start = Start()


def load_set(name: str) -> ServedSet:
    """Load the set of a name, folder or file; `name` is the option --data of `hopfield play`."""
    path = expanded(name)
    is_file = path.is_file() and not is_picture(path) and path.suffix.lower() not in DATA_FILES
    if is_file or names_table(name):
        return _from_memory(path)
    pictures = sorted(pictures_in(path)) if path.is_dir() else [path] if is_picture(path) else []
    _check_count(name, len(pictures) or 1)
    if not pictures:
        return _from_dataset(name, load_named(name, "--data"), f"data.load({name!r}).patterns")
    loaded, size = _small_squares(path, pictures[0]), ""
    if loaded is None:
        loaded, size = data.load(path, size=(SIDE, SIDE)), f", size=({SIDE}, {SIDE})"
    # In files dark pixels are low; on the page ink, which is dark, is high.
    loaded.images.neg_().add_(1)
    return _from_dataset(name, loaded, f"1 - data.load({str(path)!r}{size}).patterns")


def _small_squares(path: Path, first: Path) -> data.Dataset | None:
    """Return pictures in their own size, or None if they have several, or it is another one."""
    try:
        height, *others = data.load(first).shape
        is_small = others == [height] and height**2 <= MOST_ENTRIES
        return data.load(path) if is_small else None
    except DataError:  # of several sizes, or damaged: loading with a size tells which
        return None


def _from_dataset(name: str, loaded: data.Dataset, script: str) -> ServedSet:
    _check_count(name, len(loaded))
    if loaded.names is not None:
        labels = list(loaded.names)
    elif loaded.labels is not None:
        numbers = loaded.labels.tolist()
        labels = [loaded.classes[k] for k in numbers] if loaded.classes else list(map(str, numbers))
    else:
        labels = []
    return _served(loaded.patterns, loaded.shape, labels, script, loaded.name)


def _from_memory(path: Path) -> ServedSet:
    memory, script = load(path), f"load({str(path)!r}).patterns"
    _check_shown(path, memory)
    is_resident, everything = memory.storage.resident, torch.arange(len(memory))
    if not is_resident:
        script = f"load({str(path)!r}).storage.take(torch.arange({len(memory)}))"
    patterns = (memory.patterns if is_resident else memory.storage.take(everything)).float()
    form, notes = form_of(memory, str(path)), []
    shape = form.shape
    if form.kind == "pictures" and form.mode == "RGB":
        patterns = patterns.unflatten(1, shape) @ torch.tensor(GREY)
        patterns, shape = patterns.flatten(1), form.size
        script = f"({script}.unflatten(1, {form.shape}) @ torch.tensor({GREY})).flatten(1)"
        notes.append("Colours are shown as grey.")
    low, high = float(patterns.min()), float(patterns.max())
    if low < 0 or high > 1:
        patterns = (patterns - low) / ((high - low) or 1.0)
        script = f"({script} - {low!r}) / {(high - low) or 1.0!r}"
    if form.kind == "pictures":
        patterns, script = 1 - patterns, f"1 - {script}"
    settings, lacking = settings_of(memory)
    if (
        isinstance(settings.get("beta"), float)
        and settings.get("similarity") == "euclidean"
        and (low < 0 or high > 1)
    ):
        settings["beta"] *= (high - low) ** 2  # of distances of values divided by high − low
    if lacking:
        notes.append(f"The page lacks {', '.join(lacking)} of this file, and has its own setting.")
    labels = memory.names or (memory.values if is_resident else None)
    texts = labels.tolist() if isinstance(labels, Tensor) and labels.ndim == 1 else labels
    texts = texts if isinstance(texts, list) else []
    chosen = {**settings, "count": len(memory)}
    start = Start(chosen, notes)
    return _served(patterns, shape, list(map(str, texts)), script, path.name, start)


def _check_shown(path: Path, memory: Memory) -> None:
    if type(memory) not in KINDS or not memory.storage.holds_patterns:
        names = ", ".join(kind.__name__ for kind in KINDS)
        raise FileFormatError(
            f"--data must be a memory that the page can show ({names}, with their patterns), but "
            f"{str(path)!r} holds {memory!r}."
        )
    if not len(memory) or memory.storage.has_gaps:
        found = "has rows with gaps" if len(memory) else "holds none"
        raise FileFormatError(
            f"--data must be a memory of patterns without gaps, but {str(path)!r} {found}."
        )
    _check_count(str(path), len(memory))


def _check_count(name: str, count: int) -> None:
    if count > MOST_PATTERNS:
        raise DataError(
            f"--data must hold at most {MOST_PATTERNS} patterns, but {name!r} holds {count}."
        )


def _served(
    rows: Tensor, shape: Sequence[int], labels: list[str], script: str, title: str, *start: Start
) -> ServedSet:
    dim = rows.shape[1]
    if dim > MOST_ENTRIES:
        raise DataError(
            f"--data must have at most {MOST_ENTRIES} pixels or entries per pattern, but {title!r} "
            f"has {dim}. Store smaller ones, such as: hopfield store FOLDER --size 64x64"
        )
    labels = [_short(label) for label in labels] or [""] * len(rows)
    return ServedSet(title, rows.float().contiguous(), labels, _square(shape), script, *start)


def _short(label: str) -> str:
    # Of a long path the end tells most.
    text = " ".join(label.split())
    return text if len(text) <= LONGEST_LABEL else f"…{text[1 - LONGEST_LABEL :]}"


def _square(shape: Sequence[int]) -> Square:
    """Return a square with pictures in its middle; other rows go line by line from the top."""
    dim = math.prod(shape)
    if len(shape) != 2 or max(shape) ** 2 > MOST_ENTRIES:
        return Square(torch.arange(dim), math.ceil(math.sqrt(dim)))
    (height, width), side = shape, max(shape)
    first = (side - height) // 2 * side + (side - width) // 2
    lines = torch.arange(height)[:, None] * side + torch.arange(width)
    return Square((first + lines).flatten(), side)
