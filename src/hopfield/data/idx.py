"""MNIST and Fashion-MNIST: IDX files found on disk, or downloaded."""

import gzip
import hashlib
import math
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ..checks import check_choice
from ..errors import DataError, MissingExtraError, missing_extra
from ..files import expanded
from .dataset import Dataset
from .files import UNPACKED

PREFIXES = {"train": "train", "test": "t10k"}
DEBIAN = {"fashion-mnist": Path("/usr/share/datasets/fashion-mnist")}
UBYTE = 0x08


class _Set(NamedTuple):
    """A set that can be downloaded, and recognised by its labels."""

    url: str  # folder of the .gz files
    checksums: dict[str, str]  # sha256 of the .gz files, by their names
    fingerprints: dict[str, str]  # sha256 of the unpacked labels, by split
    classes: tuple[str, ...]  # names of the labels


def _files(split: str) -> tuple[str, str]:
    """Return the names of the unpacked image and label file of a split."""
    prefix = PREFIXES[split]
    return f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"


def _by_name(*checksums: str) -> dict[str, str]:
    names = [f"{file}.gz" for split in PREFIXES for file in _files(split)]
    return dict(zip(names, checksums, strict=True))


SETS = {
    "mnist": _Set(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        _by_name(
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
        {
            "train": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "test": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
        tuple("0123456789"),
    ),
    "fashion-mnist": _Set(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        _by_name(
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
        {
            "train": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "test": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
        ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
         "Ankle boot"),
    ),
}  # fmt: skip


def load_named(name: str, split: str | None, folder: str | Path | None) -> Dataset:
    """Load one of SETS from the first place that holds it, else download it."""
    places = list(_places(name, folder))
    for place in places:
        if splits_in(place) and (folder is not None or not _is_foreign(place, name)):
            return load_folder(place, split, name)
    if folder is not None:
        return load_folder(places[-1], split, name)  # raises, as it is not there
    return _load(_download(name, split or "train"), name, split or "train", SETS[name].url)


def is_on_disk(name: str, split: str) -> bool:
    """Return whether a named set lies where `load` looks before it downloads."""
    check_choice("name", name, SETS)
    check_choice("split", split, PREFIXES)
    return any(
        split in splits_in(place) and not _is_foreign(place, name) for place in _places(name, None)
    )


def load_folder(place: Path, split: str | None, name: str | None = None) -> Dataset:
    """Load the IDX files of a folder; `name` is the set they must be, None for any."""
    splits = splits_in(place)
    chosen = split or (splits or ["train"])[0]
    images, labels = (_find(place, file) for file in _files(chosen))
    if images is None or labels is None:
        missing = "the labels are" if images else "it is"
        hint = f" Use split={splits[0]!r} for the one there." if splits and not images else ""
        raise DataError(
            f"the {chosen} split of {name or place.resolve().name} must lie in {str(place)!r} as "
            f"{' and '.join(_files(chosen))} (plain or .gz), but {missing} missing.{hint}"
        )
    return _load((images, labels), name, chosen, str(place))


def splits_in(place: Path) -> list[str]:
    """List the splits whose images lie in a folder, train first."""
    return [split for split in PREFIXES if _find(place, _files(split)[0])]


def _load(paths: tuple[Path, Path], name: str | None, split: str, source: str) -> Dataset:
    images, labels = read_idx(paths[0], 3), read_idx(paths[1], 1)
    if len(images) != len(labels):
        raise DataError(
            f"{paths[1].name!r} must hold a label for each of the {len(images)} images in "
            f"{str(paths[0])!r}, but holds {len(labels)} labels."
        )
    known = _recognise(labels)
    if name and known not in (None, name):
        raise DataError(
            f"the files in {str(paths[0].parent)!r} must be those of {name}, but are those of "
            f"{known}. Put those of {name} in a subfolder {name!r}."
        )
    classes = SETS[known].classes if known else ()
    title = name or known or paths[0].resolve().parent.name
    grey = torch.from_numpy(images).float().div_(255)
    return Dataset(grey, torch.from_numpy(labels).long(), title, source, split, classes)


def _is_foreign(place: Path, name: str) -> bool:
    # All sets name their files alike.
    labels = _find(place, _files(splits_in(place)[0])[1])
    return labels is not None and _recognise(read_idx(labels, 1)) not in (None, name)


def _recognise(labels: np.ndarray) -> str | None:
    header = struct.pack(">BBBBI", 0, 0, UBYTE, 1, len(labels))
    digest = hashlib.sha256(header + labels.tobytes()).hexdigest()
    return next((n for n, one in SETS.items() if digest in one.fingerprints.values()), None)


def _places(name: str, folder: str | Path | None) -> Iterator[Path]:
    root = folder if folder is not None else os.environ.get("HOPFIELD_DATA")
    if root:
        top = expanded(root)
        yield from (top / name, top)
    if folder is None and name in DEBIAN:
        yield DEBIAN[name]


def _find(place: Path, file: str) -> Path | None:
    return next((path for path in (place / file, place / f"{file}.gz") if path.is_file()), None)


def _download(name: str, split: str) -> tuple[Path, Path]:
    places = ", ".join(repr(str(place)) for place in _places(name, None)) or "any folder"
    variable = "" if os.environ.get("HOPFIELD_DATA") else ", as HOPFIELD_DATA is not set"
    missing = f"{name} was not found in {places}{variable}"
    try:
        import pooch
    except ImportError:
        raise MissingExtraError(f"{missing}; {missing_extra('pooch', 'data')}") from None
    url, checksums = SETS[name][:2]
    images, labels = (f"{file}.gz" for file in _files(split))
    cache = pooch.create(pooch.os_cache("hopfield") / name, url, registry=checksums)
    try:
        return Path(cache.fetch(images)), Path(cache.fetch(labels))
    except (OSError, ValueError) as error:
        reason = "the checksum is wrong" if "hash" in str(error) else type(error).__name__
        raise DataError(
            f"{missing}, and could not be downloaded ({reason}). Put {images} and {labels} from "
            f"{url} into a folder, and name it as folder= or in HOPFIELD_DATA."
        ) from None


def read_idx(path: Path, axes: int) -> np.ndarray:
    """Read the values of an IDX file of bytes.

    Format: two zero bytes, the type (8: unsigned byte), the number of axes, each length as a
    big-endian 32-bit number, then the values.
    """
    magic, start = bytes([0, 0, UBYTE, axes]), 4 + 4 * axes
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            header = file.read(start)
            shape = struct.unpack(f">{axes}I", header[4:].ljust(4 * axes, b"\0"))
            size = math.prod(shape)
            # Read no more than announced: a few megabytes of gzip may unpack to gigabytes.
            content = file.read(size + 1) if header[:4] == magic and size <= UNPACKED else b""
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or "damaged"
        raise DataError(
            f"{str(path)!r} must be intact and readable, but is not: {reason}."
        ) from None
    problem = ""
    if header[:4] != magic:
        problem = f"begins with {header[:4].hex() or 'nothing'} instead of {magic.hex()}"
    elif len(header) < start:
        problem = "ends inside its header"
    elif not 0 < size <= UNPACKED:
        problem = f"its header announces {size} values, not 1 to {UNPACKED}"
    elif len(content) != size:
        problem = f"is {'truncated' if len(content) < size else 'too long'} for {size} values"
    if problem:
        kind = f"an IDX file of bytes with {axes} axes"
        raise DataError(f"{str(path)!r} must be {kind}, but {problem}.")
    return np.frombuffer(bytearray(content), np.uint8).reshape(shape)
