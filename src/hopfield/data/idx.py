"""MNIST and Fashion-MNIST: IDX files found on disk, or downloaded."""

import gzip
import hashlib
import math
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..errors import DataError, missing_extra
from .dataset import Dataset

PREFIXES = {"train": "train", "test": "t10k"}
DEBIAN = {"fashion-mnist": Path("/usr/share/datasets/fashion-mnist")}
UBYTE = 0x08


@dataclass(frozen=True)
class _Set:
    """Where a set is downloaded from, and how its files are recognised.

    Args:
        url: folder of the .gz files.
        checksums: sha256 of the .gz files, by their names.
        fingerprints: sha256 of the unpacked labels, by split.
        classes: names of the labels.
    """

    url: str
    checksums: dict[str, str]
    fingerprints: dict[str, str]
    classes: tuple[str, ...]


SETS = {
    "mnist": _Set(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        {
            "train-images-idx3-ubyte.gz": (
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
            ),
            "train-labels-idx1-ubyte.gz": (
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
            ),
            "t10k-images-idx3-ubyte.gz": (
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
            ),
            "t10k-labels-idx1-ubyte.gz": (
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
            ),
        },
        {
            "train": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "test": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
        tuple("0123456789"),
    ),
    "fashion-mnist": _Set(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        {
            "train-images-idx3-ubyte.gz": (
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
            ),
            "train-labels-idx1-ubyte.gz": (
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"
            ),
            "t10k-images-idx3-ubyte.gz": (
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
            ),
            "t10k-labels-idx1-ubyte.gz": (
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"
            ),
        },
        {
            "train": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "test": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
        (
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
    ),
}


def load_named(name: str, split: str | None, folder: str | Path | None) -> Dataset:
    """One of SETS from the first place that holds it, else downloaded."""
    for place in _places(name, folder):
        if splits_in(place) and (folder is not None or not _foreign(place, name)):
            return load_folder(place, split, name)
    if folder is not None:
        files = " and ".join(_files(split or "train"))
        raise DataError(
            f"{name} is not in {str(folder)!r}. Put {files} there (plain or .gz), or leave folder "
            "out to have it looked for elsewhere and downloaded."
        )
    return _load(_download(name, split or "train"), name, split or "train", SETS[name].url)


def at_hand(name: str, split: str) -> bool:
    """Whether a named set lies where `load` looks, so that it need not be downloaded."""
    return any(
        split in splits_in(place) and not _foreign(place, name) for place in _places(name, None)
    )


def load_folder(place: Path, split: str | None, name: str | None = None) -> Dataset:
    """The IDX files of a folder; `name` is the set they must be, None where any will do."""
    there = splits_in(place)
    chosen = split or there[0]
    title = name or place.resolve().name
    if chosen not in there:
        raise DataError(
            f"{title} has no {chosen} split in {str(place)!r}, only {there[0]}. Use "
            f"split={there[0]!r}, or put {' and '.join(_files(chosen))} there."
        )
    images, labels = (_find(place, file) for file in _files(chosen))
    if labels is None or images is None:
        raise DataError(
            f"{title} has images but no labels in {str(place)!r}. "
            f"Put {_files(chosen)[1]} there (plain or .gz)."
        )
    return _load((images, labels), name, chosen, str(place))


def splits_in(place: Path) -> list[str]:
    """The splits whose images lie in a folder, train first."""
    return [split for split in PREFIXES if _find(place, _files(split)[0])]


def _load(paths: tuple[Path, Path], name: str | None, split: str, source: str) -> Dataset:
    """Read and hold together images and labels; where `name` is given, not of another set."""
    images, labels = read_idx(paths[0], 3), read_idx(paths[1], 1)
    if len(images) != len(labels):
        raise DataError(
            f"{str(paths[0])!r} holds {len(images)} images, but {paths[1].name!r} holds "
            f"{len(labels)} labels. Get both files again from one source."
        )
    known = _recognise(labels)
    if name and known not in (None, name):
        raise DataError(
            f"the files in {str(paths[0].parent)!r} are those of {known}, not of {name}. "
            f"Put those of {name} in a subfolder {name!r}, or load {known!r}."
        )
    classes = SETS[known].classes if known else ()
    title = name or known or paths[0].resolve().parent.name
    grey = torch.from_numpy(images).float().div_(255)
    return Dataset(grey, torch.from_numpy(labels).long(), title, source, split, classes)


def _foreign(place: Path, name: str) -> bool:
    """Whether the files of a folder are those of another set."""
    labels = _find(place, _files(splits_in(place)[0])[1])
    return labels is not None and _recognise(read_idx(labels, 1)) not in (None, name)


def _recognise(labels: np.ndarray) -> str | None:
    """The set that these labels are of, since all sets name their files alike."""
    header = struct.pack(">BBBBI", 0, 0, UBYTE, 1, len(labels))
    digest = hashlib.sha256(header + labels.tobytes()).hexdigest()
    found = (name for name, one in SETS.items() if digest in one.fingerprints.values())
    return next(found, None)


def _places(name: str, folder: str | Path | None) -> Iterator[Path]:
    """Folders to look in, in order."""
    variable = os.environ.get("HOPFIELD_DATA")
    roots = [folder] if folder is not None else [variable] if variable else []
    for root in roots:
        top = Path(root).expanduser()
        yield from (top / name, top)
    if folder is None and name in DEBIAN:
        yield DEBIAN[name]


def _files(split: str) -> tuple[str, str]:
    """Names of the image and the label file of a split, unpacked."""
    prefix = PREFIXES[split]
    return f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"


def _find(place: Path, file: str) -> Path | None:
    """The file, plain or packed."""
    return next((path for path in (place / file, place / f"{file}.gz") if path.is_file()), None)


def _download(name: str, split: str) -> tuple[Path, Path]:
    """Fetch the two files of a split into pooch's cache, or find them there."""
    try:
        import pooch
    except ImportError:
        raise missing_extra("pooch", "data") from None
    one = SETS[name]
    cache = pooch.os_cache("hopfield") / name
    images, labels = (f"{file}.gz" for file in _files(split))

    def fetch(file: str) -> Path:
        known = f"sha256:{one.checksums[file]}"
        return Path(pooch.retrieve(one.url + file, known, fname=file, path=cache))

    try:
        return fetch(images), fetch(labels)
    except (OSError, ValueError) as error:
        reason = "the checksum is wrong" if "hash" in str(error) else type(error).__name__
        places = ", ".join(repr(str(place)) for place in _places(name, None))
        looked = f"found in none of {places}" if places else "found (HOPFIELD_DATA is not set)"
        raise DataError(
            f"{name} was not {looked} and could not be downloaded ({reason}). Get "
            f"{images} and {labels} from {one.url} into a folder, and load it by its path or name "
            "it in the environment variable HOPFIELD_DATA."
        ) from None


def read_idx(path: Path, axes: int) -> np.ndarray:
    """The values of an IDX file of bytes with that many axes.

    Format: two zero bytes, the type (8: unsigned byte), the number of axes, each length as a
    big-endian 32-bit number, then the values.

    Raises:
        DataError: where the file is damaged, or is another kind of file.
    """
    content = _unpacked(path)
    magic, start = bytes([0, 0, UBYTE, axes]), 4 + 4 * axes
    if content[:4] != magic:
        raise DataError(
            f"{str(path)!r} must be an IDX file of bytes with {axes} axes, which begins with "
            f"{magic.hex()}, but it begins with {content[:4].hex() or 'nothing'}. "
            "Get the file again."
        )
    if len(content) < start:
        raise DataError(f"{str(path)!r} ends inside its header. Get the file again.")
    shape = struct.unpack(f">{axes}I", content[4:start])
    if len(content) - start != math.prod(shape):
        kind = "truncated" if len(content) - start < math.prod(shape) else "too long"
        raise DataError(
            f"{str(path)!r} is {kind}: its header announces {math.prod(shape)} values "
            f"({' × '.join(map(str, shape))}), but {len(content) - start} follow. "
            "Get the file again."
        )
    if 0 in shape:
        raise DataError(f"{str(path)!r} holds no values. Get the file again.")
    return np.frombuffer(bytearray(content), np.uint8, offset=start).reshape(shape)


def _unpacked(path: Path) -> bytes:
    """Content of a file, unpacked where it is a .gz one."""
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise DataError(
            f"{str(path)!r} is no intact gzip file: it is cut off or damaged. Get the file again."
        ) from None
    except OSError as error:
        raise DataError(
            f"{str(path)!r} cannot be read ({error.strerror}). Check its permissions."
        ) from None
