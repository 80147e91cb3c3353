"""Records: the flat lines that experiments yield, and the file that keeps them.

A file of records is JSON lines: a header with the versions that made it, then one record a line,

    {"experiment": …, "case": …, the config's fields …, "seed": …, the results …}

so that pictures, tables and verdicts can all be drawn again from the file alone.
"""

import json
import platform
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib import metadata
from os import PathLike
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor

from ..errors import FileFormatError
from ..files import write_whole

OTHER = "Name a file that a run wrote; to begin anew, another path."
FORMAT = 1
"""Version of the file; a reader refuses any other."""

Record = dict[str, Any]


class MissingRecordError(LookupError):
    """No record answers the question: that experiment was not run, or not at that size.

    Args:
        message: what was looked for.
        wanted: values of the fields that were asked for.
    """

    def __init__(self, message: str, wanted: Mapping[str, Any] | None = None) -> None:
        """Keep what was wanted."""
        super().__init__(message)
        self.wanted = dict(wanted or {})


def record(experiment: str, case: str, config: Any, **results: Any) -> Record:
    """One flat record: which experiment and case, the fields of `config`, the results."""
    settings = asdict(config)
    seed = settings.pop("seed")
    clash = sorted(set(settings) & set(results))
    if clash:
        raise KeyError(f"results of {experiment!r} hide its config: {', '.join(clash)}")
    line = {"experiment": experiment, "case": case, **settings, "seed": seed, **results}
    return {key: plain(value) for key, value in line.items()}


def spread(name: str, values: Sequence[float] | Tensor) -> dict[str, float]:
    """Mean and standard deviation of a figure over subsets, as two fields of a record."""
    tensor = torch.as_tensor(values, dtype=torch.float64)
    deviation = tensor.std().item() if tensor.numel() > 1 else 0.0
    return {name: tensor.mean().item(), f"{name}_sd": deviation}


def pixels(images: Tensor) -> list[list[int]]:
    """Images in [0, 1] as rows of whole numbers 0 … 255, small enough to keep in a record."""
    return (images.detach().clamp(0, 1) * 255).round().to(torch.uint8).flatten(1).tolist()


def find(records: Iterable[Record], experiment: str, **fields: Any) -> Record:
    """The first record of `experiment` whose fields have these values, as `select`."""
    return select(records, experiment, **fields)[0]


def select(records: Iterable[Record], experiment: str, **fields: Any) -> list[Record]:
    """All records of `experiment` whose fields have these values, in their order: at least one.

    Raises:
        MissingRecordError: where there is none.
    """
    chosen = [
        line
        for line in records
        if line["experiment"] == experiment
        and all(line.get(key) == value for key, value in fields.items())
    ]
    if not chosen:
        asked = ", ".join(f"{key}={value!r}" for key, value in fields.items())
        raise MissingRecordError(f"no record of {experiment!r}{asked and f' with {asked}'}", fields)
    return chosen


def header(**facts: Any) -> Record:
    """The first line of a file: what made the records, and nothing about whose machine it was."""
    return {
        "experiment": "header",
        "format": FORMAT,
        "code": code(),
        "hopfield": metadata.version("hopfield"),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "threads": torch.get_num_threads(),
        **facts,
    }


@cache
def code() -> str:
    """A checksum of this library's source: records of other code are other records."""
    package = Path(__file__).parents[1]
    digest = 0
    for path in sorted(package.rglob("*.py"), key=lambda each: each.as_posix()):
        digest = zlib.crc32(path.read_bytes(), digest)
    return f"{digest:08x}"


def write(path: "str | PathLike[str]", head: Record, records: Iterable[Record]) -> None:
    """Write header and records as JSON lines, all or nothing."""
    write_whole(Path(path), lines_of((head, *records)).encode())


def lines_of(records: Iterable[Record]) -> str:
    """Records as JSON lines."""
    return "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in records)


def read(path: "str | PathLike[str]") -> tuple[Record, list[Record]]:
    """Header and records of a file that `write` made."""
    try:
        lines = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines() if line]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise FileFormatError(
            f"{path} cannot be read as records (JSON lines): {error}. {OTHER}"
        ) from None
    wrong = next((line for line in lines if not isinstance(line, dict)), None)
    if wrong is not None:
        raise FileFormatError(
            f"{path} must hold one record a line, but one of them is {wrong!r:.40}. {OTHER}"
        )
    if not lines or lines[0].get("experiment") != "header":
        raise FileFormatError(
            f"{path} must begin with a header line, but has none. Write your own records with "
            "hopfield.experiments.records.write(path, header(), records)."
        )
    if not all(isinstance(line.get("experiment"), str) for line in lines):
        raise FileFormatError(f"{path} has lines that do not say of which experiment. {OTHER}")
    head, *records = lines
    if head.get("format") != FORMAT:
        raise FileFormatError(
            f"{path} must be of format {FORMAT}, but is of format {head.get('format')!r}. "
            "Make it again with this version, by the command or script that wrote it."
        )
    return head, records


def plain(value: Any) -> Any:
    """A value as JSON has it: tensors and tuples become lists, mappings are refused."""
    if isinstance(value, Tensor):
        return value.tolist()
    if isinstance(value, Mapping):
        raise TypeError("records are flat: give each entry of the mapping a field of its own")
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value
