"""`hopfield info`: the facts of a memory file or a data set."""

import json
import re
from pathlib import Path

from .. import data
from ..errors import HopfieldError
from ..stores.disk.paths import names_table
from .memory_info import describe_memory
from .pictures import is_picture

DATA_FILES = (".npy", ".npz", ".csv")


def describe(name_or_path: str, *, as_json: bool) -> None:
    """Print the facts of a memory file or a data set, in lines or as one JSON object."""
    path = Path(name_or_path)
    is_file = path.is_file() and not is_picture(path) and path.suffix.lower() not in DATA_FILES
    if is_file or names_table(name_or_path):
        describe_memory(name_or_path, as_json=as_json)
        return
    dataset = load(name_or_path, "NAME_OR_PATH")
    if not as_json:
        print(dataset)
        return
    facts = {
        "name": dataset.name,
        "patterns": len(dataset.patterns),
        "shape": list(dataset.shape),
        "split": dataset.split,
        "labels": None if dataset.labels is None else len(dataset.labels.unique()),
        "source": dataset.source,
    }
    print(json.dumps(facts, ensure_ascii=False))


def load(name: str, option: str) -> data.Dataset:
    """Load a data set; errors name the option instead of a Python argument."""
    if not name:
        raise HopfieldError(f"{option} must be a name or a path, but is empty. Try digits.")
    try:
        return data.load(name)
    except HopfieldError as error:
        text = re.sub(r" Use split=.*", "", str(error).replace("name_or_path", option))
        text = re.sub(r"Give size=.*", "Bring them to one size first.", text)  # no options here
        raise HopfieldError(text) from None
