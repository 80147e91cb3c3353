"""The contract of every memory: a query stands alone, inputs are left alone, shapes are kept.

Further parts: test_contract_energy.py, test_contract_masks.py, test_contract_storing.py.
"""

import pytest
import torch

from answers import assert_same_answer, assert_same_bits
from cases import (
    CASES,
    DETERMINISTIC,
    DIM,
    HALF,
    RECALLING,
    every_memory,
    filled,
    in_turn,
    over,
    patterns_and_cues,
    random_patterns,
    seeded,
    signs,
    state_slack,
)
from hopfield import ClassicalHopfield, Cue, DenseHopfield, Polynomial, Retrieval, readout


def one_by_one(memory, cues: torch.Tensor, **options) -> Retrieval:
    """Retrieve each cue alone."""
    found = [memory.retrieve(cue, **options) for cue in cues]
    names = ["state", "steps", "converged", "index", "weight"]
    names += [] if found[0].energy is None else ["energy"]
    parts = {name: torch.stack([getattr(each, name) for each in found]) for name in names}
    return Retrieval(**({"energy": None} | parts))


pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")


# ---- what a memory is for


@in_turn(RECALLING, 1)
def test_stored_patterns_are_fixed_points_at_low_load(case, dtype):
    patterns = signs(3, DIM, generator=seeded(4), dtype=dtype)  # equal norms: attractors of all
    found = filled(case, patterns).retrieve(patterns)
    assert found.steps.tolist() == [0, 0, 0]
    assert found.converged.all()
    assert torch.equal(found.state, patterns)
    assert found.index.tolist() == [0, 1, 2]


@in_turn(RECALLING, 2)
def test_a_damaged_pattern_is_recalled(case, dtype):
    patterns = signs(2, DIM, generator=seeded(4), dtype=dtype)
    cues = patterns.clone()
    cues[:, ::11] *= -1  # 3 of 24
    found = filled(case, patterns).retrieve(cues)
    assert (found.steps > 0).all(), "premise: the cues are no fixed points"
    assert found.converged.all()
    error = (found.state.double() - patterns.double()).abs()
    assert (error <= (0 if case.binary else 0.02)).all(), error.max()
    assert found.index.tolist() == [0, 1]


# ---- a query stands alone


@in_turn(DETERMINISTIC, 3)
def test_a_query_does_not_depend_on_its_batch(case, dtype):
    patterns, cues = patterns_and_cues(case, dtype)
    memory = filled(case, patterns)
    together = memory.retrieve(cues)
    assert together.steps.unique().numel() > 1, "premise: cues stop at different steps"
    assert_same_answer(case, patterns, together, one_by_one(memory, cues))


@in_turn(DETERMINISTIC, 0)
def test_blocks_do_not_matter(case, dtype, monkeypatch):
    patterns, cues = patterns_and_cues(case, dtype, n=8)
    cues, memory = cues[2:5], filled(case, patterns)
    whole = memory.retrieve(cues)
    for rows in (1, 3, 7):
        monkeypatch.setattr(readout, "block_rows", lambda queries, copied=True, rows=rows: rows)
        blocks = list(memory._blocks(3))
        assert len(blocks) == -(-8 // rows), "premise: the blocks are that small"
        assert_same_answer(case, patterns, whole, memory.retrieve(cues))


@in_turn(DETERMINISTIC, 1)
def test_the_number_of_threads_does_not_matter(case, dtype):
    # Large enough for torch to share the products between threads.
    patterns, cues = patterns_and_cues(case, dtype, n=5)
    cues = cues.repeat(20, 1)
    memory = filled(case, patterns)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = memory.retrieve(cues)
        torch.set_num_threads(4)
        four = memory.retrieve(cues)
    finally:
        torch.set_num_threads(before)
    assert_same_answer(case, patterns, one, four)


@in_turn([case for case in DETERMINISTIC if not case.ordered], 3)
def test_the_order_of_storage_does_not_matter(case, dtype):
    patterns, cues = patterns_and_cues(case, dtype, n=7)
    order = torch.randperm(7, generator=seeded(8))
    assert order.tolist() != list(range(7)), "premise: another order"
    straight = filled(case, patterns).retrieve(cues)
    mixed = filled(case, patterns[order]).retrieve(cues)
    if case.binary:  # several patterns may tie; either is a right answer
        scores = straight.state @ patterns.T
        best = scores.gather(-1, order[mixed.index][:, None]).squeeze(-1)
        assert torch.equal(best, scores.amax(-1))
    else:
        assert torch.equal(order[mixed.index], straight.index)
    same_index = Retrieval(**{**vars(mixed), "index": straight.index})
    assert_same_answer(case, patterns, straight, same_index)


# ---- randomness


@in_turn(CASES, 1)
def test_the_same_generator_gives_the_same_bits(case, dtype):
    patterns, cues = patterns_and_cues(case, dtype)
    memory = filled(case, patterns)
    for make in (lambda: None, lambda: seeded(7)):
        first = memory.retrieve(cues, steps=2, trace=True, generator=make())
        assert_same_bits(first, memory.retrieve(cues, steps=2, trace=True, generator=make()))
        state = torch.where(cues > 0, 1.0, -1.0).to(dtype) if case.binary else cues
        assert torch.equal(
            memory.update(state, generator=make()), memory.update(state, generator=make())
        )


ORDERED = [case for case in CASES if case.binary and case.kind != "pairs"]


@over([case for case in ORDERED if "synchronous" not in case.name.split("-")])
def test_another_generator_gives_another_order(case):
    # Overloaded, from random cues: which fixed point is reached depends on the order.
    memory = case.make()
    memory.store(signs(5, DIM, generator=seeded(0)))
    cues = signs(20, DIM, generator=seeded(1))
    states = [memory.update(cues, generator=seeded(seed)) for seed in range(3)]
    assert any(not torch.equal(states[0], other) for other in states[1:])


def test_one_order_serves_the_whole_batch():
    memory = ClassicalHopfield()
    memory.store(signs(5, DIM, generator=seeded(0)))
    cue = signs(1, DIM, generator=seeded(1))
    found = memory.retrieve(cue.expand(50, -1))
    assert (found.state == found.state[0]).all()


# ---- inputs, shapes, dtypes, devices


@in_turn(CASES, 2)
def test_inputs_are_left_alone(case, dtype):
    patterns, cues = patterns_and_cues(case, dtype)
    values = torch.randn(len(patterns), 3, generator=seeded(2))
    known = torch.rand(cues.shape, generator=seeded(3)) < 0.6
    given = (patterns, cues, values, known)
    copies = [each.clone() for each in given]
    versions = [each._version for each in given]
    memory = filled(case, patterns, values)
    for mask in (None, known):
        found = memory.retrieve(cues, mask, steps=2, trace=True)
        found.state.mul_(2)  # what comes back is the caller's own
        found.value.mul_(2)
    memory.retrieve(Cue(cues, known), steps=1)
    memory.update(cues)
    if case.has_energy:
        memory.energy(cues)
    assert all(torch.equal(each, copy) for each, copy in zip(given, copies, strict=True))
    assert [each._version for each in given] == versions, "written to, though with the same"
    assert torch.equal(memory.patterns, copies[0])
    assert torch.equal(memory.values, copies[2])
    patterns.zero_()
    values.zero_()
    assert torch.equal(memory.patterns, copies[0]), "the memory keeps a copy"
    assert torch.equal(memory.values, copies[2])


def check_kept(memory, cue: torch.Tensor) -> None:
    """Check that a retrieval has the cue's batch shape, dtype and device."""
    batch, wide = cue.shape[:-1], torch.promote_types(cue.dtype, torch.float32)
    found = memory.retrieve(cue, steps=1, trace="states")
    described = {
        "state": (cue.shape, cue.dtype),
        "steps": (batch, torch.int64),
        "converged": (batch, torch.bool),
        "index": (batch, torch.int64),
        "weight": (batch, wide),
        "value": ((*batch, 2), torch.int64),
    }
    if found.energy is not None:
        described |= {"energy": (batch, wide)}
        assert (found.trace.shape[1:], found.trace.dtype) == (batch, wide)
        assert len(found.states) == len(found.trace)
    for name, (shape, dtype) in described.items():
        assert (getattr(found, name).shape, getattr(found, name).dtype) == (shape, dtype), name
    assert (found.states.shape[1:], found.states.dtype) == (cue.shape, cue.dtype)
    assert len(found.states) == 1 + (int(found.steps.max()) if found.steps.numel() else 0)
    tensors = [value for value in vars(found).values() if isinstance(value, torch.Tensor)]
    assert {each.device for each in tensors} == {cue.device}


@in_turn(CASES, 2)
def test_shape_dtype_and_device_are_kept(case, dtype):
    memory = filled(case, random_patterns(case, 3, dtype), torch.arange(6).reshape(3, 2))
    cue = signs(2, 3, DIM, generator=seeded(3), dtype=dtype)
    check_kept(memory, cue)
    wide = torch.promote_types(dtype, torch.float32)
    following = memory.update(cue)
    if case.has_energy:
        assert (memory.energy(cue).shape, memory.energy(cue).dtype) == ((2, 3), wide)
    assert (following.shape, following.dtype) == (cue.shape, dtype)


@in_turn(CASES)
def test_any_batch_shape_will_do(case, dtype):
    memory = filled(case, random_patterns(case, 3, dtype), torch.arange(6).reshape(3, 2))
    for batch in ((), (1,), (2, 1, 3), (0,), (2, 0)):
        check_kept(memory, signs(*batch, DIM, generator=seeded(3), dtype=dtype))
    none = torch.empty(0, DIM, dtype=dtype)
    assert not case.has_energy or memory.energy(none).shape == (0,)
    assert memory.update(none).shape == (0, DIM)


@in_turn(DETERMINISTIC, 1, dtypes=(*HALF, torch.float32))
def test_every_precision_agrees_with_float64(case, dtype):
    # reliability.md's accuracy, which is one rounding of the answer and little else.
    patterns = signs(3, DIM, generator=seeded(4), dtype=dtype)
    cues = patterns.clone()
    cues[:, ::11] *= -1
    low = filled(case, patterns).retrieve(cues, steps=2, tol=1e-2)
    full = filled(case, patterns.double()).retrieve(cues.double(), steps=2, tol=1e-2)
    error = (low.state.double() - full.state).abs().amax()
    limit = state_slack(case, patterns, low.state).max()
    assert error <= limit
    assert torch.equal(low.index, full.index)


@in_turn(DETERMINISTIC, 3)
def test_a_batch_of_any_shape_gives_what_its_rows_give(case, dtype):
    patterns, cues = patterns_and_cues(case, dtype)
    memory = filled(case, patterns)
    flat = memory.retrieve(cues, trace="states")
    shaped = memory.retrieve(cues.reshape(3, 2, 1, -1), trace="states")
    assert torch.equal(shaped.states.reshape(flat.states.shape), flat.states)
    assert torch.equal(shaped.state.reshape(cues.shape), flat.state)
    assert not case.has_energy or torch.equal(shaped.energy.flatten(), flat.energy)
    assert torch.equal(shaped.index.flatten(), flat.index)
    for strided in (torch.stack([cues, -cues], dim=-1)[..., 0], cues.T.contiguous().T):
        assert not strided.is_contiguous(), "premise: another layout"
        assert_same_answer(case, patterns, flat, memory.retrieve(strided))


# ---- the limit on steps


@every_memory
def test_steps_limit_what_is_applied(case):
    patterns, cues = patterns_and_cues(case, torch.float64)
    memory = filled(case, patterns)
    none = memory.retrieve(cues, steps=0, tol=0.0)
    assert torch.equal(none.state, cues)
    assert (none.steps == 0).all()
    one = memory.retrieve(cues, steps=1, tol=0.0)
    assert torch.equal(one.steps, torch.ones_like(one.steps) if case.thermal else one.steps)
    assert (one.steps <= 1).all()
    assert (one.steps == 1).any(), "premise: some cue moves"
    if not case.thermal:
        step = memory.update(cues)
        moved = (one.state - step).abs().amax(-1)
        assert (moved <= state_slack(case, patterns, one.state)).all(), "one step is one update"
        assert torch.equal(none.converged, (step == cues).all(-1)), "the next read decides"
        assert torch.equal(one.steps == 0, none.converged)


@over([case for case in DETERMINISTIC if case.descends])
def test_converged_means_that_one_more_read_stays(case):
    patterns, cues = patterns_and_cues(case, torch.float64)
    memory = filled(case, patterns)
    found = memory.retrieve(cues, tol=1e-3)
    assert found.converged.any()
    following = memory.update(found.state, generator=seeded(5))
    moved = (following - found.state).abs().amax(-1)
    limit = 0 if case.binary else 1e-3 * found.state.abs().amax(-1).clamp_min(1)
    assert (moved <= limit)[found.converged].all()


def test_a_synchronous_two_cycle_stops_and_is_not_converged():
    memory = ClassicalHopfield(schedule="synchronous")
    memory.store(torch.tensor([[1.0, 1.0]]))
    found = memory.retrieve(torch.tensor([[1.0, -1.0], [1.0, 1.0]]), steps=50)
    assert found.converged.tolist() == [False, True]
    assert found.steps.tolist() == [1, 0]
    assert (found.state[0].sum(), found.energy[0]) == (0, 0.5)
    dense = DenseHopfield(separation=Polynomial(2))
    dense.store(torch.tensor([[1.0, 1.0]]))
    assert not dense.retrieve(torch.tensor([1.0, -1.0])).converged


def test_thermal_dynamics_makes_exactly_so_many_sweeps():
    memory = ClassicalHopfield(temperature=1e-3)
    patterns = signs(2, DIM, generator=seeded(0), dtype=torch.float64)
    memory.store(patterns)
    found = memory.retrieve(patterns, steps=4, trace=True)
    assert torch.equal(found.state, patterns), "premise: cold enough to stay"
    assert found.steps.tolist() == [4, 4]
    assert not found.converged.any()
    assert len(found.trace) == 5
