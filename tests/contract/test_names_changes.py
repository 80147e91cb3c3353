"""Patterns are removed, replaced and described by their names; a failed call changes nothing."""

import warnings

import numpy as np
import pandas
import pyarrow
import pytest
import torch

from draws import normal, signs
from hopfield import CapacityWarning, ClassicalHopfield, DenseHopfield, ModernHopfield, PackedStore
from hopfield.errors import DomainError, EmptyMemoryError, InputTypeError, OptionError, ShapeError
from list_store import ListStore, RewritingStore

DIM = 16
ROWS, NEW = signs(6, DIM, seed=1), signs(3, DIM, seed=2)
STORES = {
    "ram": lambda: None,
    "packed": PackedStore,
    "list": lambda: ListStore(DIM),
    "rewriting": lambda: RewritingStore(DIM),
}


def exact(store=None):
    return ModernHopfield(beta=500.0, similarity="euclidean", store=store)


def filled(store=None, names="abcdef", values=None):
    memory = exact(store)
    table = {"size": range(6), "note": ["x", None, float("inf"), True, 0.5, "é"]}
    memory.store(ROWS, values, names=list(names), prior=range(1, 7), table=table, unique=False)
    return memory


def content(memory):
    """Return all that is stored, in the order of the rows."""
    stored = memory.storage.annotations
    rows = memory.storage.take(torch.arange(len(memory)))
    prior = stored.full_prior().tolist()
    return memory.names, rows.tolist(), stored.labels, prior, memory.rows()


@pytest.mark.parametrize("kind", STORES)
def test_patterns_are_removed_by_name(kind):
    memory = filled(STORES[kind](), names="abacda")
    memory.remove(names="b")
    assert memory.names == ["a", "a", "c", "d", "a"]
    memory.remove(names=["c", "a"])  # all patterns of a name
    assert memory.names == ["d"] and memory.retrieve(ROWS[4]).name == "d"
    assert torch.equal(memory.storage.take(torch.tensor([0])), ROWS[4:5])
    assert memory.rows() == [{"size": 4, "note": 0.5}]


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("values", [None, torch.arange(12.0).reshape(6, 2), list("uvwxyz")])
def test_replaced_patterns_keep_all_that_is_not_given(kind, values):
    memory = filled(STORES[kind](), values=values)
    memory.replace(["e", "b"], NEW[:2])
    order = [0, 2, 3, 5, 4, 1]
    assert memory.names == list("acdfeb")
    expected = torch.cat([ROWS[order[:4]], NEW[:2]])
    assert torch.equal(memory.storage.take(torch.arange(6)), expected)
    assert memory.storage.prior.tolist() == [1, 3, 4, 6, 5, 2]
    assert [row["size"] for row in memory.rows()] == order
    answer = memory.retrieve(NEW[:2])
    assert answer.name.tolist() == ["e", "b"]
    if isinstance(values, list):
        assert memory.values == [values[i] for i in order] and answer.value.tolist() == ["y", "v"]
    elif values is not None:
        torch.testing.assert_close(answer.value, values[[4, 1]])


def test_replaced_patterns_take_all_that_is_given():
    memory = filled(values=list("uvwxyz"))
    memory.replace("c", NEW[:1], ["new"], prior=[0.5], table={"size": [-1], "more": ["m"]})
    assert memory.values == ["u", "v", "x", "y", "z", "new"]
    assert memory.storage.prior.tolist() == [1, 2, 4, 5, 6, 0.5]
    assert memory.rows(names=["c", "a"]) == [
        {"size": -1, "note": float("inf"), "more": "m"},
        {"size": 0, "note": "x", "more": None},
    ]


FAILING = {
    "unknown": (lambda m: m.replace(["a", "z"], NEW[:2]), DomainError, "'z' is not stored"),
    "twice": (lambda m: m.replace(["a", "a"], NEW[:2]), OptionError, "given twice"),
    "too few": (lambda m: m.replace(["a", "b"], NEW), ShapeError, "names must have one entry"),
    "narrow": (lambda m: m.replace(["a"], NEW[:1, :3]), ShapeError, "16 entries"),
    "NaN": (lambda m: m.replace(["a"], NEW[:1] * torch.nan), DomainError, "finite"),
    "table": (lambda m: m.replace(["a"], NEW[:1], table={"b": []}), ShapeError, "column 'b'"),
    "prior": (lambda m: m.replace(["a"], NEW[:1], prior=[-1.0]), DomainError, "between 1e-12"),
    "values": (lambda m: m.replace(["a"], NEW[:1], torch.ones(1)), OptionError, "brought none"),
    "remove unknown": (lambda m: m.remove(names=["a", "z"]), DomainError, "not stored"),
    "remove nothing": (lambda m: m.remove(), InputTypeError, "contain None"),
    "remove both": (lambda m: m.remove(0, names="a"), OptionError, "left out"),
    "rows both": (lambda m: m.rows(0, names="a"), OptionError, "left out"),
    "rows": (lambda m: m.rows([0, 6]), DomainError, "between -6 and 5"),
}


@pytest.mark.parametrize("case", FAILING)
def test_a_failed_call_changes_nothing(case):
    call, error, text = FAILING[case]
    memory = filled()
    before = content(memory)
    with pytest.raises(error, match=text):
        call(memory)
    assert content(memory) == before


@pytest.mark.parametrize("method", ["append", "remove"])
def test_a_store_that_fails_in_the_middle_of_a_replacement_keeps_the_old_patterns(method):
    memory = filled(ListStore(DIM))
    before, right = content(memory), getattr(memory.storage, method)
    calls = []

    def fail_once(*arguments):
        calls.append(method)
        if len(calls) == 1:
            raise OSError("disk full")
        right(*arguments)

    setattr(memory.storage, method, fail_once)
    with pytest.raises(OSError, match="disk full"):
        memory.replace(["b", "e"], NEW[:2])
    assert content(memory) == before
    memory.replace(["b", "e"], NEW[:2])
    assert memory.names == list("acdfbe")


def test_a_name_of_several_patterns_cannot_be_replaced():
    memory = filled(names="abacda")
    with pytest.raises(OptionError, match="'a' stands for 3"):
        memory.replace(["b", "a"], NEW[:2])
    assert len(memory) == 6


@pytest.mark.parametrize("overlaps", [False, True])
def test_a_replacement_warns_as_if_only_the_other_patterns_were_stored(overlaps):
    rows = torch.cat([signs(7, 64, seed=5), torch.ones(1, 64)])
    new = torch.ones(1, 64).index_fill(1, torch.tensor([0]), -1.0)
    new = new if overlaps else signs(1, 64, seed=7)
    memory, others = ClassicalHopfield(), ClassicalHopfield()
    memory.store(rows, names=range(8))
    others.store(rows[1:])
    assert (others.capacity_warning(new) is not None) == overlaps, "premise"
    with warnings.catch_warnings():
        warnings.simplefilter("error", CapacityWarning)
        if not overlaps:
            memory.replace(0, new)
            assert memory.names == [1, 2, 3, 4, 5, 6, 7, 0]
            return
        with pytest.raises(CapacityWarning):
            memory.replace(0, new)
    assert memory.names == list(range(8)) and torch.equal(memory.patterns, rows)


def test_rows_follow_indices_of_any_shape_in_their_order():
    memory = filled()

    def sizes(*given, **named):
        return [row["size"] for row in memory.rows(*given, **named)]

    assert (
        sizes() == [0, 1, 2, 3, 4, 5] and sizes(3) == [3] and sizes([4, 0, -1, 4]) == [4, 0, 5, 4]
    )
    assert sizes(memory.retrieve(ROWS[[5, 1]]).index) == [5, 1]
    assert sizes(memory.nearest(ROWS[:2], 1).index) == [0, 1]
    assert sizes(names=["f", "a"]) == [5, 0] and sizes(names="c") == [2]


def test_rows_need_a_table():
    memory = exact()
    with pytest.raises(OptionError, match="rows needs a table"):
        memory.rows()
    memory.store(ROWS, names=range(6))
    with pytest.raises(OptionError, match="rows needs a table"):
        memory.rows(0)
    with pytest.raises(EmptyMemoryError):
        exact().replace("a", NEW[:1])


COLUMNS = {"n": [1, -2, 3], "x": [0.5, None, 2.0], "t": ["a", None, "ü"], "b": [True, False, True]}
RECORDS = [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)]
ARROW = pyarrow.table(COLUMNS)
TABLES = {
    "dict of lists": COLUMNS,
    "dict of arrays": {
        "n": np.array([1, -2, 3]),
        "x": np.array([0.5, None, 2.0], dtype=object),
        "t": np.array(["a", None, "ü"], dtype=object),
        "b": torch.tensor([True, False, True]),
    },
    "frame": pandas.DataFrame(
        {
            "n": [1, -2, 3],
            "x": pandas.array([0.5, None, 2.0], "Float64"),
            "t": pandas.array(["a", None, "ü"], "string"),
            "b": pandas.Categorical([True, False, True]),
        }
    ),
    "frame of objects": pandas.DataFrame(COLUMNS, dtype=object, index=[5, 5, 7]),
    "arrow": ARROW,
    "arrow in chunks": pyarrow.concat_tables(
        [pyarrow.table(COLUMNS)[:1], pyarrow.table(COLUMNS)[1:]]
    ),
    "record batch": pyarrow.RecordBatch.from_pydict(COLUMNS),
    "list of dicts": RECORDS,
    "dicts without None": [{k: v for k, v in row.items() if v is not None} for row in RECORDS],
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_of_every_form_come_back_as_plain_rows(kind):
    memory = exact()
    memory.store(ROWS[:3], table=TABLES[kind])
    rows = memory.rows()
    assert rows == RECORDS
    assert [[type(cell) for cell in row.values()] for row in rows] == [
        [type(cell) for cell in row.values()] for row in RECORDS
    ]


class Series:
    def __init__(self, name, entries):
        self.name, self.entries = name, entries

    def __iter__(self):
        return iter(self.entries)

    def to_list(self):
        return self.entries


class Frame:
    """The methods of polars that are used."""

    def get_columns(self):
        return [Series(name, entries) for name, entries in COLUMNS.items()]


def test_tables_with_the_methods_of_polars_are_taken():
    memory = exact()
    memory.store(ROWS[:3], table=Frame(), names=Series("t", ["a", "b", "c"]))
    assert memory.rows() == RECORDS and memory.names == ["a", "b", "c"]


def test_columns_that_a_call_leaves_out_are_none():
    memory = exact()
    memory.store(ROWS[:2])
    memory.store(ROWS[2:3], table={"a": [1]})
    memory.store(ROWS[3:4], table={"b": ["x"]})
    memory.store(ROWS[4:5])
    assert memory.rows() == [
        {"a": None, "b": None}, {"a": None, "b": None}, {"a": 1, "b": None},
        {"a": None, "b": "x"}, {"a": None, "b": None},
    ]  # fmt: skip


@pytest.mark.parametrize(
    "names",
    [np.array(["a", "b"]), pandas.Series(["a", "b"]), pandas.Index(["a", "b"]), ("a", "b"),
     pyarrow.array(["a", "b"]), {"a": 1, "b": 2}.keys(), iter(["a", "b"]), "a b".split()],
    ids=lambda names: type(names).__name__,
)  # fmt: skip
def test_names_of_every_form_are_taken(names):
    memory = DenseHopfield()
    memory.store(ROWS[:2], names=names)
    assert memory.names == ["a", "b"] and type(memory.names[0]) is str


@pytest.mark.parametrize(
    "names",
    [range(3, 5), np.array([3, 4], dtype=np.uint8), torch.tensor([3, 4]), pandas.Series([3, 4]),
     [np.int64(3), torch.tensor(4)], pandas.array([3, 4], "Int64")],
    ids=lambda names: type(names).__name__,
)  # fmt: skip
def test_whole_numbers_of_every_form_are_names(names):
    memory = DenseHopfield()
    memory.store(normal(2, DIM).sign(), names=names)
    assert memory.names == [3, 4] and type(memory.names[0]) is int
