"""Records: flat lines that experiments return, and the file that holds them.

A file of records is JSON lines: a header with the versions that made it, then one record per line,

    {"experiment": …, "case": …, the config's fields …, the results …}

so that pictures, tables and verdicts can be drawn again from the file alone.
"""

import json
import math
import platform
import statistics
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from functools import cache
from importlib import metadata
from os import PathLike
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor

from ..checks import short_repr
from ..errors import DomainError, FileFormatError, InputTypeError, OptionError
from ..files import expanded, write_whole
from ..typed import typed

__all__ = [
    "FORMAT", "MissingRecordError", "Record", "find", "header", "mean_and_sd", "means_and_sds",
    "read", "record",
    "select", "source_checksum", "to_json_lines", "write",
]  # fmt: skip

FORMAT = 1
"""Version of the file format; `read` refuses any other."""
ANOTHER_FILE = "Name a file that a run wrote, or another path to start a new one."

Record = dict[str, Any]


class MissingRecordError(LookupError):
    """No record has the requested `fields`: the experiment was not run with these values."""

    def __init__(self, message: str, fields: Mapping[str, Any] | None = None) -> None:
        """Store the requested fields."""
        super().__init__(message)
        self.fields = dict(fields or {})


def check_config(config: Any) -> Any:
    """Return a config, an instance of a dataclass."""
    if not is_dataclass(config) or isinstance(config, type):
        raise InputTypeError(f"config must be one such as Recall(), but is {short_repr(config)}.")
    return config


@typed
def record(experiment: str, setup: Any, config: Any, **results: Any) -> Record:
    """Build one flat record from the setup, the fields of the config and the results.

    Args:
        experiment: the name of the experiment.
        setup: a `Setup`, or text that names the case.
        config: a dataclass of plain values.
        **results: measured quantities. Tensors and tuples become lists.

    Raises:
        OptionError: where a result has the name of another field.
        InputTypeError: for another config or setup, and a result that is a mapping.
    """
    if not isinstance(setup, str) and not callable(getattr(setup, "facts", None)):
        raise InputTypeError(f"setup must be a Setup or text, but is {short_repr(setup)}.")
    facts = {"case": setup} if isinstance(setup, str) else setup.facts()
    # The config is last: an experiment passes its fields to `make`, in place of those of a partial.
    fields = {"experiment": experiment, **facts, **asdict(check_config(config))}
    clash = sorted((set(fields) - set(facts.get("parameters", ()))) & set(results))
    if clash:
        raise OptionError(f"results must not have names of other fields: {', '.join(clash)}.")
    return {key: to_json_value(value) for key, value in (fields | results).items()}


@typed
def mean_and_sd(name: str, values: Sequence[float] | Tensor) -> dict[str, float]:
    """Return mean and standard deviation over draws as two fields, `name` and `name_sd`."""
    try:
        numbers = [float(value) for value in values]
    except (RuntimeError, TypeError, ValueError):
        raise InputTypeError(f"values must be numbers, but are {short_repr(values)}.") from None
    if not numbers or not all(map(math.isfinite, numbers)):
        raise DomainError(f"values of {name} must be finite and at least one, but are {numbers}.")
    deviation = statistics.stdev(numbers) if len(numbers) > 1 else 0.0
    return {name: statistics.fmean(numbers), f"{name}_sd": deviation}


@typed
def means_and_sds(draws: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return mean and standard deviation over draws of every quantity, two fields for each.

    Args:
        draws: one mapping of quantities to numbers per draw, such as `Setup.measured` returns.
    """
    if not draws or not all(isinstance(values, Mapping) for values in draws):
        raise InputTypeError(
            f"draws must be a list of mappings, one per draw, but is {short_repr(draws)}."
        )
    if any(values.keys() != draws[0].keys() for values in draws):
        raise DomainError("draws must all have the same quantities, but some lack one.")
    fields = [mean_and_sd(name, [values[name] for values in draws]) for name in draws[0]]
    return {key: value for field in fields for key, value in field.items()}


def find(records: Iterable[Record], experiment: str, **fields: Any) -> Record:
    """Return the first record of an experiment that has these fields."""
    return select(records, experiment, **fields)[0]


def select(records: Iterable[Record], experiment: str, **fields: Any) -> list[Record]:
    """Return all records of an experiment that have these fields, in their order.

    Raises:
        MissingRecordError: where no record has them.
    """
    wanted = {"experiment": experiment, **fields}
    chosen = [x for x in records if all(x.get(key) == value for key, value in wanted.items())]
    if not chosen:
        values = ", ".join(f"{key}={value!r}" for key, value in fields.items())
        message = f"no record of {experiment!r}" + (f" with {values}" if values else "")
        raise MissingRecordError(message, fields)
    return chosen


def header(**facts: Any) -> Record:
    """Return the first line of a file: the versions that made the records, and `facts`."""
    return {
        "experiment": "header",
        "format": FORMAT,
        "code": source_checksum(),
        "hopfield": metadata.version("hopfield"),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "threads": torch.get_num_threads(),
        **facts,
    }


@cache
def source_checksum() -> str:
    """Return a checksum of the library's source. Records of other source are never reused."""
    package = Path(__file__).parents[1]
    digest = 0
    for path in sorted(package.rglob("*.py"), key=lambda path: path.as_posix()):
        digest = zlib.crc32(path.read_bytes(), digest)
    return f"{digest:08x}"


def write(path: "str | PathLike[str]", head: Record, records: Iterable[Record]) -> None:
    """Write header and records to a file. A failed write leaves the former file."""
    write_whole(expanded(path), to_json_lines((head, *records)).encode())


def to_json_lines(records: Iterable[Record]) -> str:
    """Return records as text, one JSON object per line."""
    return "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in records)


def read(path: "str | PathLike[str]") -> tuple[Record, list[Record]]:
    """Read header and records of a file that `write` or `run` wrote.

    Raises:
        FileFormatError: where the file is missing, or something else.
    """
    try:
        text = expanded(path).read_text("utf-8")
        lines = [json.loads(line) for line in text.splitlines() if line]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise FileFormatError(
            f"{path} cannot be read as records (JSON lines): {error}. {ANOTHER_FILE}"
        ) from None
    wrong = next((line for line in lines if not isinstance(line, dict)), None)
    if wrong is not None:
        raise FileFormatError(
            f"{path} must hold one record per line, but one line is {wrong!r:.40}. {ANOTHER_FILE}"
        )
    if not lines or lines[0].get("experiment") != "header":
        raise FileFormatError(
            f"{path} must begin with a header line, but has none. Write your own records with "
            "hopfield.experiments.records.write(path, header(), records)."
        )
    if not all(isinstance(line.get("experiment"), str) for line in lines):
        raise FileFormatError(f"{path} has lines without the field 'experiment'. {ANOTHER_FILE}")
    head, *records = lines
    if head.get("format") != FORMAT:
        raise FileFormatError(
            f"{path} must be of format {FORMAT}, but is of format {head.get('format')!r}. "
            "Make it again with this version, by the command or script that wrote it."
        )
    return head, records


def to_json_value(value: Any) -> Any:
    """Turn tensors and tuples into lists.

    Raises:
        InputTypeError: for a mapping, since records are flat.
    """
    if isinstance(value, Tensor):
        return value.tolist()
    if isinstance(value, Mapping):
        raise InputTypeError(
            "a field of a record must be flat, but is a mapping. Give each entry its own field."
        )
    if isinstance(value, (list, tuple)):
        return [to_json_value(item) for item in value]
    return value
