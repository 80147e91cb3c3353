"""Patterns with gaps: right results or named errors, and nothing changed by a call that fails."""

import math
import pickle

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from hopfield import ClassicalHopfield, Cue, DenseHopfield, ModernHopfield, diagnose, explain, load
from hopfield.errors import DomainError, InputTypeError, OptionError, ShapeError

NAN = math.nan
ROWS = torch.tensor([[1.0, 2.0, NAN], [NAN, 4.0, 5.0], [6.0, NAN, 8.0]])
KNOWN = ~ROWS.isnan()


def filled() -> ModernHopfield:
    """A memory of rows that all have a gap."""
    memory = ModernHopfield(5.0, similarity="euclidean")
    memory.store(ROWS, known=KNOWN, values=torch.arange(3))
    return memory


REFUSED = {
    "NaN without a mask": (DomainError, lambda m: m.store(ROWS), "known=torch.isfinite(patterns)"),
    "NaN where known": (DomainError, lambda m: m.store(ROWS, known=KNOWN[:1]), "NaN"),
    "infinity where known": (
        DomainError,
        lambda m: m.store(ROWS.nan_to_num(math.inf), known=KNOWN | True),
        "infinity",
    ),
    "mask of floats": (InputTypeError, lambda m: m.store(ROWS, known=KNOWN.float()), "bool"),
    "mask of another shape": (ShapeError, lambda m: m.store(ROWS, known=KNOWN.T[:2]), "(3, 3)"),
    "a row without a known entry": (
        DomainError,
        lambda m: m.store(ROWS, known=KNOWN & torch.tensor([[True], [False], [True]])),
        "pattern 1",
    ),
    "a Cue and a mask": (OptionError, lambda m: m.store(Cue(ROWS, KNOWN), known=KNOWN), "Cue"),
    "one pattern without its axis": (
        ShapeError,
        lambda m: m.store(ROWS[0], known=KNOWN[0]),
        "[None]",
    ),
    "another length": (ShapeError, lambda m: m.store(ROWS[:, :2], known=KNOWN[:, :2]), "dim=3"),
    "values for some": (OptionError, lambda m: m.store(ROWS, known=KNOWN), "values"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_stored_is_refused(name):
    error, call, shown = REFUSED[name]
    memory = filled()
    before = memory.patterns.clone()
    with pytest.raises(error, match=r"must") as caught:
        call(memory)
    assert shown in str(caught.value)
    assert torch.equal(memory.patterns.nan_to_num(-1), before.nan_to_num(-1))
    assert len(memory) == 3


@pytest.mark.parametrize("make", [ClassicalHopfield, DenseHopfield])
@pytest.mark.parametrize("given", ["mask", "cue"])
def test_other_networks_refuse_gaps_by_name(make, given):
    memory, signs = make(), torch.ones(2, 3)
    mask = torch.arange(3) > 0
    with pytest.raises(OptionError, match=f"{make.__name__}.*complete patterns only"):
        memory.store(signs, known=mask) if given == "mask" else memory.store(Cue(signs, mask))
    assert len(memory) == 0


def test_certified_readouts_and_advice_refuse_gaps_by_name():
    certified = ModernHopfield(precision="certified")
    with pytest.raises(OptionError, match="precision='full'"):
        certified.store(ROWS, known=KNOWN)
    for call in (diagnose, lambda memory: explain(memory, torch.ones(3))):
        with pytest.raises(OptionError, match="complete patterns"):
            call(filled())


def test_cues_that_nothing_can_answer():
    memory = ModernHopfield(5.0, similarity="euclidean")
    memory.store(ROWS[:2], known=torch.tensor([[True, True, False], [False, True, False]]))
    cue = torch.tensor([[1.0, 2.0, 0.0], [1.0, 0.0, 0.0]])
    with pytest.raises(DomainError, match="entry 2, but query 0"):
        memory.retrieve(cue, torch.tensor([True, True, False]))
    with pytest.raises(DomainError, match="query 1 has none"):
        memory.retrieve(cue, torch.tensor([[True, True, True], [False, False, True]]))
    # Where an entry counts, and no pattern knows it, it keeps its value.
    assert memory.update(cue)[:, 2].tolist() == [0.0, 0.0]
    assert memory.retrieve(cue).state[:, 2].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("placeholder", [NAN, math.inf, -1e30, 0.0])
def test_what_is_unknown_is_never_read(placeholder):
    memory = filled()
    other = ModernHopfield(5.0, similarity="euclidean")
    other.store(torch.where(KNOWN, ROWS, placeholder), known=KNOWN, values=torch.arange(3))
    cue = Cue(torch.where(KNOWN, ROWS, placeholder), KNOWN)
    one, two = memory.retrieve(Cue(ROWS, KNOWN)), other.retrieve(cue)
    assert torch.equal(one.state, two.state) and one.state.isfinite().all()
    assert torch.equal(memory.energy(torch.ones(3)), other.energy(torch.ones(3)))


@pytest.mark.parametrize("way", ["file", "pickle"])
def test_masks_are_kept(way, tmp_path):
    memory = filled()
    if way == "file":
        memory.save(tmp_path / "memory")
        again = load(tmp_path / "memory")
    else:
        again = pickle.loads(pickle.dumps(memory))
    assert torch.equal(again.known, KNOWN) and "with gaps" in repr(again)
    for each in (memory, again):
        each.store(torch.ones(1, 3), values=torch.tensor([7]))
        each.remove(0)
        each.to(dtype=torch.float64)
    assert again.known.tolist() == [*KNOWN[1:].tolist(), [True] * 3]
    cue = torch.tensor([1.0, 2.0, NAN])
    one, two = (each.retrieve(cue, ~cue.isnan()) for each in (memory, again))
    assert torch.equal(one.state, two.state) and one.index == two.index


def test_files_of_the_first_format_are_read(tmp_path):
    memory = ModernHopfield(0.5)
    memory.store(ROWS.nan_to_num())
    memory.save(tmp_path / "new")
    with safe_open(tmp_path / "new", "pt") as file:
        metadata = file.metadata() | {"format": "1"}
    save_file(load_file(tmp_path / "new"), tmp_path / "old", metadata)
    assert torch.equal(load(tmp_path / "old").patterns, memory.patterns)
