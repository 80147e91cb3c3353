"""Names, tables and string values that do not fit are refused by name, and nothing changes."""

import datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas
import pyarrow
import pytest
import torch

from bad_inputs import COUNT, DIM, PATTERNS, VALUES, Bad, cases, judge
from bad_values import Hostile
from draws import signs
from hopfield import ModernHopfield
from hopfield.errors import DomainError, InputTypeError, OptionError, ShapeError

NEW = signs(COUNT, DIM, seed=9)
NAMES, OTHERS = ["a", "b", "c"], ["x", "y", "z"]
TEXT = {"size": [1, 2, 3]}


def memory_of(values=None, **brought):
    memory = ModernHopfield(beta=50.0, similarity="euclidean")
    memory.store(PATTERNS, values, **brought)
    return memory


def named():
    return memory_of(names=NAMES, table=TEXT)


def broken():
    yield "a"
    raise RuntimeError("lost")


def storing(**brought):
    return lambda memory: memory.store(NEW, **brought)


def removing(names):
    return lambda memory: memory.remove(names=names)


def replacing(names, patterns=NEW, **brought):
    return lambda memory: memory.replace(names, patterns, **brought)


ENTRIES = {
    "None": ([None, "y", "z"], "entry 0 is None"),
    "NaN": (["x", float("nan"), "z"], "entry 1 is nan"),
    "floats": ([1.0, 2.0, 3.0], "int(name)"),
    "bools": ([True, False, True], "entry 0 is True"),
    "bytes": ([b"x", b"y", b"z"], "entry 0 is a bytes"),
    "paths": ([Path("x"), Path("y"), Path("z")], "str(path)"),
    "lists": ([["x"], ["y"], ["z"]], "entry 0 is a list"),
    "tuples": ([("x", 1)] * 3, "entry 0 is a tuple"),
    "hostile": ([Hostile()] * 3, "entry 0 is a bad_values.Hostile"),
    "mixed": (["x", 2, "z"], "entry 1 is 2"),
    "numbers, then text": ([1, 2, "z"], "all strings or all whole numbers"),
    "missing of pandas": (pandas.array(["x", None, "z"], "string"), "entry 1 is None"),
    "dates": (np.array(["2020", "2021", "2022"], "M8[Y]"), "entry 0 is a datetime.date"),
    "float array": (np.ones(3), "entry 0 is 1.0"),
    "complex": (torch.ones(3, dtype=torch.complex64), "entry 0 is a complex"),
}
LISTS = {
    "text": ("abc", InputTypeError, "'abc'"),
    "a number": (3, InputTypeError, "[3]"),
    "a dict": ({"x": 1, "y": 2, "z": 3}, InputTypeError, "a dict"),
    "a set": ({"x", "y", "z"}, InputTypeError, "a set"),
    "an object": (object(), InputTypeError, "object"),
    "a function": (len, InputTypeError, "builtin_function"),
    "a class": (list, InputTypeError, "the class list"),
    "too few": (["x", "y"], ShapeError, "the number is 2"),
    "too many": (["x", "y", "z", "w"], ShapeError, "the number is 4"),
    "none": ([], ShapeError, "the number is 0"),
    "two axes": (np.array([["x"], ["y"], ["z"]]), ShapeError, "(3, 1)"),
    "no axis": (np.array("x"), ShapeError, "()"),
    "a tensor of two axes": (torch.ones(3, 2).long(), ShapeError, "(3, 2)"),
    "a frame": (pandas.DataFrame({"x": [1, 2, 3]}), ShapeError, "(3, 1)"),
    "failing": (broken(), InputTypeError, "reading it fails"),
    "hostile": (Hostile(), InputTypeError, "Hostile"),
}
NAME_CASES = [
    *[Bad(f"names {k}", storing(names=v), InputTypeError, ("names", s))
      for k, (v, s) in ENTRIES.items()],
    *[Bad(f"names are {k}", storing(names=v), e, ("names", s)) for k, (v, e, s) in LISTS.items()],
    Bad("names twice", storing(names=["x", "y", "x"]), OptionError, ("'x', at 2", "at 0 too")),
    Bad("names stored", storing(names=["x", "b", "y"]), OptionError, ("'b'", "replace(names")),
    Bad("names left out", storing(), OptionError, ("names must come", "earlier ones brought some")),
    Bad("names of another kind", storing(names=[1, 2, 3]), InputTypeError, ("must be strings",)),
    Bad("unique no bool", storing(names=OTHERS, unique="no"), InputTypeError, ("unique", "'no'")),
    Bad("unique a number", storing(names=OTHERS, unique=0), InputTypeError, ("unique", "0")),
]  # fmt: skip

CELLS = {
    "dates": [datetime.date(2020, 1, 1)] * 3,
    "times": pandas.to_datetime(["2020-01-01"] * 3),
    "decimals": [Decimal(1)] * 3,
    "lists": [[1], [2], [3]],
    "bytes": [b"x"] * 3,
    "complex": [1j] * 3,
    "objects": [object()] * 3,
    "tensors": [torch.ones(2)] * 3,
    "hostile": [Hostile()] * 3,
}
TABLES = {
    "text": ("abc", "'abc'"),
    "a number": (3, "3"),
    "a tensor": (torch.ones(3, 2), "a tensor"),
    "an array": (np.ones((3, 2)), "numpy.ndarray"),
    "a list of lists": ([[1], [2], [3]], "a list"),
    "an object": (object(), "object"),
    "hostile": (Hostile(), "Hostile"),
    "a class": (dict, "the class dict"),
}
TABLE_CASES = [
    *[Bad(f"cells {k}", storing(names=OTHERS, table={"c": v}), InputTypeError,
          ("table must hold strings, numbers", "column 'c'", "row 0")) for k, v in CELLS.items()],
    *[Bad(f"a column is {k}", storing(names=OTHERS, table={"c": v}), e, ("column 'c'", s))
      for k, (v, e, s) in LISTS.items() if k != "failing"],
    *[Bad(f"table {k}", storing(names=OTHERS, table=v), InputTypeError, ("table must be", s))
      for k, (v, s) in TABLES.items()],
    Bad("table too long", storing(names=OTHERS, table=pandas.DataFrame({"c": range(4)})),
        ShapeError, ("column 'c'", "the number is 4")),
    Bad("arrow too short", storing(names=OTHERS, table=pyarrow.table({"c": [1]})),
        ShapeError, ("column 'c'", "the number is 1")),
    Bad("records too few", storing(names=OTHERS, table=[{"c": 1}]), ShapeError, ("one row",)),
    Bad("column names numbers", storing(names=OTHERS, table=pandas.DataFrame(np.ones((3, 2)))),
        InputTypeError, ("names are strings", "0")),
    Bad("two columns of one name",
        storing(names=OTHERS, table=pandas.DataFrame([[1, 2]] * 3, columns=["c", "c"])),
        InputTypeError, ("different names", "'c'")),
]  # fmt: skip
REMOVED = {
    "True": (True, "True"),
    "a dict": ({"a": 1}, "a dict"),
    "a float": (1.5, "1.5"),
    "floats": ([1.5], "entry 0 is 1.5"),
    "None in a list": ([None], "None"),
}
CHANGE_CASES = [
    *[Bad(f"remove names {k}", removing(v), InputTypeError, ("names", s))
      for k, (v, s) in REMOVED.items()],
    Bad("remove unknown", removing(["a", "aa"]), DomainError, ("'aa'", "mean 'a'?")),
    Bad("remove another kind", removing(0), DomainError, ("names in this memory",)),
    Bad("remove text", lambda m: m.remove("a"), InputTypeError, ("indices", "names=")),
    Bad("remove both", lambda m: m.remove([0], names="a"), OptionError, ("indices", "names=")),
    Bad("rows unknown", lambda m: m.rows(names="z"), DomainError, ("'z'",)),
    Bad("rows beyond", lambda m: m.rows(3), DomainError, ("-3 and 2", "3")),
    Bad("rows floats", lambda m: m.rows(torch.ones(2)), InputTypeError, ("indices", "float32")),
    Bad("replace unknown", replacing(["a", "b", "z"]), DomainError, ("'z'",)),
    Bad("replace twice", replacing(["a", "b", "b"]), OptionError, ("names must differ",)),
    Bad("replace too many", replacing(["a", "b"]), ShapeError, ("names", "3", "the number is 2")),
    Bad("replace narrow", replacing(NAMES, NEW[:, :3]), ShapeError, ("patterns", "dim=8")),
    Bad("replace float64", replacing(NAMES, NEW.double()), InputTypeError, ("patterns", "float32")),
    Bad("replace NaN", replacing(NAMES, NEW * torch.nan), DomainError, ("patterns", "NaN")),
    Bad("replace values", replacing(NAMES, values=VALUES), OptionError, ("values", "earlier ones")),
    Bad("replace strings", replacing(NAMES, values=list("uvw")), OptionError, ("strings", "none")),
    Bad("replace table", replacing(NAMES, table={"size": [1]}), ShapeError, ("column 'size'",)),
    Bad("replace prior", replacing(NAMES, prior=[1, 2, 0]), DomainError, ("prior", "0")),
    Bad("replace argument", replacing(NAMES, labels=NAMES), OptionError, ("values=",)),
    Bad("store ids", storing(ids=NAMES), OptionError, ("'ids'", "Use names=.")),
    Bad("store metadata", storing(metadata=TEXT), OptionError, ("'metadata'", "Use table=.")),
]  # fmt: skip


@cases(NAME_CASES, TABLE_CASES, CHANGE_CASES, at_least=90)
def test_names_and_tables_that_do_not_fit_are_refused(case):
    memory = named()
    annotations, version = memory.storage.annotations, memory.storage.version
    judge(case, memory)
    assert memory.storage.annotations is annotations and memory.storage.version == version
    assert torch.equal(memory.patterns, PATTERNS)


@pytest.mark.parametrize("values", [["x", 1, "z"], ["x", None, "z"], ["x", "y"], np.array([["x"]])])
def test_string_values_that_do_not_fit_are_refused(values):
    memory = ModernHopfield()
    with pytest.raises((InputTypeError, ShapeError), match="values must"):
        memory.store(PATTERNS, values)
    assert not len(memory)


def test_values_stay_strings_or_numbers():
    numbers, strings = memory_of(VALUES), memory_of(NAMES)
    with pytest.raises(InputTypeError, match="values must be a float32 tensor"):
        numbers.store(NEW, NAMES)
    with pytest.raises(InputTypeError, match="values must be strings like those in the memory"):
        strings.store(NEW, VALUES)
    with pytest.raises(OptionError, match="values that are strings must come with every store"):
        strings.store(NEW)
    for memory in (memory_of(), strings):
        with pytest.raises(OptionError, match="names must be left out: the patterns have none"):
            memory.remove(names="a")
    assert len(numbers) == len(strings) == COUNT
