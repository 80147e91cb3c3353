"""Networks of a given coupling refuse arguments they cannot use, and calls that need patterns."""

import numpy
import pandas
import pytest
import torch

import hopfield
from bad_inputs import Bad, cases, judge
from hopfield import ClassicalHopfield
from hopfield.errors import DeviceError, DomainError, InputTypeError, OptionError, ShapeError

W = torch.tensor([[0.0, 1.0, -2.0], [1.0, 0.0, 0.5], [-2.0, 0.5, 0.0]])


def making(coupling, thresholds=None, **options):
    return lambda: ClassicalHopfield.from_coupling(coupling, thresholds, **options)


NAN = W.clone()
NAN[0, 1] = NAN[1, 0] = torch.nan
DIRECTED = W + torch.eye(3)[[1, 2, 0]]

MAKING = [
    Bad("a name", making("W.csv"), InputTypeError, ("coupling", "'W.csv'")),
    Bad("nothing", making(None), InputTypeError, ("coupling", "None")),
    Bad("a function", making(abs), InputTypeError, ("coupling", "function")),
    Bad("a memory", making(ClassicalHopfield()), InputTypeError, ("Use memory.coupling",)),
    Bad("an integer tensor", making(W.long()), InputTypeError, ("coupling.float()", "int64")),
    Bad("a sparse tensor", making(W.to_sparse()), InputTypeError, ("coupling.to_dense()",)),
    Bad("complex", making(numpy.eye(2) * 1j), InputTypeError, ("coupling", "complex128")),
    Bad("text", making([["a", "b"], ["b", "a"]]), InputTypeError, ("coupling", "text")),
    Bad("numbers as text", making([["0", "1"], ["1", "0"]]), InputTypeError,
        ("numpy.array(coupling, dtype=float)",)),
    Bad("a column of names", making(pandas.DataFrame({"unit": ["a"], "a": [0.0]})), InputTypeError,
        ("coupling.set_index('unit')",)),
    Bad("rows in one", making([0, 1, 1, 0]), ShapeError, ("numpy.reshape(coupling, (2, 2))",)),
    Bad("patterns", making(numpy.ones((2, 5))), ShapeError, ("store(patterns)",)),
    Bad("ragged", making([[0, 1], [1]]), InputTypeError, ("1 to 2 entries", "number of entries.")),
    Bad("meta", making(W.to("meta")), DeviceError, ("coupling", "meta")),
    *[
        Bad(f"shape {shown}", making(coupling), ShapeError, ("(dim, dim)", shown))
        for coupling, shown in [
            (W[:2], "(2, 3)"), (W[0], "(3,)"), (W[None], "(1, 3, 3)"), (torch.zeros(0, 0), "(0, 0)")
        ]
    ],
    Bad("NaN", making(NAN), DomainError, ("coupling must be finite", "NaN")),
    Bad("infinite", making(W / 0), DomainError, ("coupling must be finite",)),
    Bad("huge", making(W * 1e25), DomainError, ("coupling", "2e+25")),
    Bad("directed", making(DIRECTED), DomainError,
        ("coupling[", "must be symmetric", "use symmetric=False")),
    Bad("symmetric = 1", making(W, symmetric=1), InputTypeError, ("symmetric", "1")),
    Bad("thresholds short", making(W, [1, 2]), ShapeError, ("thresholds", "(3,)", "(2,)")),
    Bad("one threshold", making(W, 0.5), InputTypeError, ("thresholds", "0.5")),
    Bad("thresholds of a batch", making(W, [[1, 2, 3]]), ShapeError, ("thresholds", "(1, 3)")),
    Bad("thresholds NaN", making(W, [1, numpy.nan, 3]), DomainError, ("thresholds", "NaN")),
    Bad("a rule", making(W, rule="hebbian"), OptionError, ("rule must be left out",)),
    Bad("a store", making(W, store=None), OptionError, ("store must be left out",)),
    Bad("a typo", making(W, shedule="synchronous"), OptionError, ("schedule=",)),
    Bad("another word", making(W, bias=W[0]), OptionError, ("thresholds=",)),
    Bad("a schedule", making(W, schedule="parallel"), OptionError, ("schedule", "'parallel'")),
    Bad("diagonal = 2", making(W, diagonal=2), InputTypeError, ("diagonal", "2")),
    Bad("T < 0", making(W, temperature=-1), DomainError, ("temperature", "-1")),
]  # fmt: skip


@cases(MAKING)
def test_a_coupling_is_refused(case):
    judge(case)


MEMORY = ClassicalHopfield.from_coupling(W)
SIGNS = torch.ones(3)
CALLS = [
    Bad("store", lambda: MEMORY.store(torch.ones(2, 7)), OptionError, ("store", "given")),
    Bad("replace", lambda: MEMORY.replace("a", SIGNS[None]), OptionError, ("given",)),
    Bad("remove", lambda: MEMORY.remove(0), OptionError, ("remove needs", "given")),
    Bad("patterns", lambda: MEMORY.patterns, OptionError, ("patterns needs", "given")),
    Bad("nearest", lambda: MEMORY.nearest(SIGNS, 1), OptionError, ("nearest needs", "given")),
    Bad("duplicates", lambda: MEMORY.duplicates(), OptionError, ("given",)),
    Bad("set_prior", lambda: MEMORY.set_prior(None, 2), OptionError, ("given",)),
    Bad("calibrate", lambda: MEMORY.calibrate(None), OptionError, ("calibrate", "given")),
    Bad("diagnose", lambda: hopfield.diagnose(MEMORY), OptionError, ("given",)),
    Bad("short cue", lambda: MEMORY.retrieve(torch.ones(2)), ShapeError, ("dim=3", "(2,)")),
    Bad("short list", lambda: MEMORY.retrieve([1, 1]), ShapeError, ("3 entries", "(2,)")),
    Bad("grey cue", lambda: MEMORY.retrieve(SIGNS / 2), DomainError, ("cue", "0.5")),
    Bad("grey state", lambda: MEMORY.energy(SIGNS / 2), DomainError, ("state", "0.5")),
    Bad("to whole numbers", lambda: MEMORY.to(torch.int64), InputTypeError, ("float32 or",)),
    Bad("to a name", lambda: MEMORY.to("float64"), OptionError, ("to(dtype=torch.float64)",)),
    Bad("to a dtype", lambda: MEMORY.to(torch.float64), OptionError, ("to(dtype=torch.float64)",)),
    Bad("to a dtype of NumPy", lambda: MEMORY.to(numpy.float64), OptionError, ("torch.float64",)),
    Bad("float16", lambda: making(1e5 * W)().to(dtype=torch.float16), DomainError, ("coupling",)),
]


@cases(CALLS)
def test_a_call_is_refused(case):
    judge(case)
    assert repr(MEMORY).endswith("<3 units, float32>") and MEMORY.retrieve(SIGNS).converged


NAMES = ["a", "b", "c"]
FRAME = pandas.DataFrame(W.numpy(), NAMES, NAMES)
LABELS = [
    Bad("columns in another order", making(FRAME[["c", "a", "b"]]), DomainError,
        ("coupling", "['a', 'b', 'c'], not ['c', 'a', 'b']", "coupling.loc[names, names]")),
    Bad("rows of other names", making(FRAME.rename(index={"b": "d"})), DomainError,
        ("['a', 'd', 'c']", "coupling.reindex(")),
    Bad("a pivot table", making(FRAME.loc[["a", "b"]]), DomainError,
        ("['a', 'b'], not", "coupling.reindex(")),
    Bad("numbers in another order", making(pandas.DataFrame(W.numpy())[[2, 0, 1]]), DomainError,
        ("[0, 1, 2], not [2, 0, 1]",)),
    Bad("thresholds in another order", making(FRAME, pandas.Series([1, 2, 3], ["b", "a", "c"])),
        DomainError, ("['b', 'a', 'c']", "thresholds.loc[coupling.columns]")),
]  # fmt: skip


@cases(LABELS)
def test_labels_that_would_exchange_weights_are_refused(case):
    judge(case)


def test_labels_in_one_order_and_unnamed_rows_are_taken():
    unnamed = pandas.DataFrame(W.numpy(), columns=NAMES)
    for coupling, bias in ((FRAME, pandas.Series([1, 2, 3], NAMES)), (unnamed, [1, 2, 3])):
        memory = ClassicalHopfield.from_coupling(coupling, bias)
        assert torch.equal(memory.coupling, W) and memory.thresholds.tolist() == [1, 2, 3]


def test_messages_name_the_argument_and_its_shape():
    for call, words in (
        (making(W[0]), "one row and one column per unit, but has shape (3,)."),
        (lambda: making(W, symmetric=False)().energy(SIGNS), "its coupling was declared not symm"),
    ):  # fmt: skip
        with pytest.raises(hopfield.errors.HopfieldError) as caught:
            call()
        assert words in str(caught.value)


@pytest.mark.parametrize("kind", [ClassicalHopfield, hopfield.GradedHopfield])
def test_the_constructor_takes_thresholds_as_a_list_or_an_array(kind):
    for given in ([1, 0, -1], numpy.array([1.0, 0.0, -1.0])):
        assert kind(thresholds=given).thresholds.tolist() == [1, 0, -1]
