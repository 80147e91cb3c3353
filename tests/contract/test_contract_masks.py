"""The contract of every memory, with a mask: known entries count and are held, others do not."""

import pytest
import sklearn.datasets  # noqa: F401  what it loads draws from `random` once: not in a test
import torch

from answers import assert_same_answer, assert_same_bits
from cases import (
    CASES,
    DIM,
    HALF,
    MODERN,
    Case,
    brought,
    energy_slack,
    every_memory,
    filled,
    in_turn,
    over,
    patterns_and_cues,
    random_masks,
    seeded,
    shares_of,
    signs,
    state_slack,
)
from hopfield import (
    ClassicalHopfield,
    Cue,
    DenseHopfield,
    ModernHopfield,
    Polynomial,
    data,
)

pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")
OPTIONS = [{}, {"clamp": False}]


def options(case: Case) -> list[dict]:
    """The ways a memory takes a mask."""
    return OPTIONS if case.binary else [*OPTIONS, {"evidence": "all"}]


@in_turn(CASES, 3)
def test_known_entries_are_held_to_the_bit(case, dtype):
    patterns, cues = patterns_and_cues(case, dtype)
    known = random_masks(*cues.shape)
    memory = filled(case, patterns)
    for choice in [{}] if case.binary or dtype in HALF else [{}, {"evidence": "all"}]:
        for steps in (1, 3):
            state = memory.retrieve(cues, known, steps=steps, **choice).state
            assert torch.equal(state[known], cues[known])
    assert not torch.equal(state[~known], cues[~known]), "premise: the others do move"


@every_memory
def test_known_entries_are_free_without_clamp(case):
    patterns = signs(2, DIM, generator=seeded(4), dtype=torch.float64)
    known = random_masks(DIM)
    cue = patterns[0].clone()
    wrong = known.nonzero().flatten()[0]
    cue[wrong] *= -1
    memory = filled(case, patterns)
    held = memory.retrieve(cue, known)
    free = memory.retrieve(cue, known, clamp=False)
    assert held.state[wrong] == cue[wrong]
    if not case.thermal and case.recalls:
        assert (free.state - patterns[0]).abs().max() < 0.02, "the error is mended"


@every_memory
@pytest.mark.parametrize("shared", [True, False])
def test_hidden_entries_never_matter(case, shared):
    dtype = torch.bfloat16 if shared else torch.float64
    patterns, cues = patterns_and_cues(case, dtype)
    values = torch.randn(len(patterns), 2, generator=seeded(3))
    known = (random_masks(DIM) if shared else random_masks(*cues.shape)).expand(cues.shape)
    memory = filled(case, patterns, values)
    junk = torch.tensor([float("nan"), float("inf"), -1e4, 0.5], dtype=dtype)
    for choice in [{}] if shared else options(case):
        plain = memory.retrieve(cues, known, steps=2, trace=True, **choice)
        filler = junk[torch.randint(4, cues.shape, generator=seeded(5))]
        filled_in = torch.where(known, cues, filler)
        other = memory.retrieve(Cue(filled_in, known), steps=2, trace=True, **choice)
        assert_same_bits(plain, other)


@over([case for case in MODERN if not case.name.startswith("auto")])  # β of some columns differs
@pytest.mark.parametrize("shared", [True, False])
def test_only_known_entries_are_evidence(case, shared):
    """One read under a mask weighs patterns as a memory of the known columns alone would."""
    patterns, cues = patterns_and_cues(case, torch.float64)
    cues[0] += 0.3  # 0 is not a fixed point any more
    known = (random_masks(DIM) if shared else random_masks(*cues.shape)).expand(cues.shape)
    found = filled(case, patterns).retrieve(cues, known, steps=1, tol=0.0)
    assert found.objective == "known"
    for at, mask in enumerate(known):
        part = filled(case, patterns[:, mask], whole=patterns)
        alone = part.retrieve(cues[at, mask], steps=0)
        slack = state_slack(case, patterns, cues)[at]
        assert (found.weight[at] - alone.weight).abs() <= slack
        assert (found.entropy[at] - alone.entropy).abs() <= 4 * slack
        assert found.index[at] == alone.index
        norms = patterns.square().sum(-1).max() - patterns[:, mask].square().sum(-1).max()
        shift = norms / 2 if case.similarity == "dot" else 0.0  # ½M² counts all entries
        assert (found.energy[at] - alone.energy - shift).abs() <= 4 * slack
        separation = part.separation
        scores = -(patterns[:, mask] - cues[at, mask]).square().sum(-1) / 2
        if case.similarity == "euclidean":
            expected = shares_of(separation, scores, **brought(case, patterns)) @ patterns
            unread = 0.0  # where no pattern has weight
            expected = torch.where(expected.isnan(), unread, expected)
            assert (found.state[at] - expected)[~mask].abs().max() <= slack


@in_turn(CASES)
def test_one_mask_for_all_is_the_same_mask_for_each(case, dtype):
    patterns, cues = patterns_and_cues(case, dtype)
    known = random_masks(DIM)
    memory = filled(case, patterns)
    for choice in options(case):
        one = memory.retrieve(cues, known, steps=2, **choice)
        assert_same_bits(one, memory.retrieve(cues, known.expand(6, -1), steps=2, **choice))
        if case.thermal:
            continue
        # Another cue with another mask joins the batch: the rest must not notice.
        more = torch.cat([known.expand(6, -1), ~known[None]])
        joined = memory.retrieve(torch.cat([cues, cues[:1]]), more, steps=2, **choice)
        mates = {name: each[:6] for name, each in vars(joined).items() if torch.is_tensor(each)}
        assert_same_answer(case, patterns, one, type(one)(**({"energy": None} | mates)))


@every_memory
def test_a_mask_of_everything_or_nothing(case):
    patterns, cues = patterns_and_cues(case, torch.float64)
    memory = filled(case, patterns)
    everything = memory.retrieve(cues, torch.ones(DIM, dtype=torch.bool), steps=3)
    assert torch.equal(everything.state, cues)
    assert everything.converged.all() or case.thermal
    nothing = memory.retrieve(cues, torch.zeros(DIM, dtype=torch.bool), steps=3)
    assert torch.isfinite(nothing.state).all()
    if (
        not case.thermal
    ):  # no evidence tells them apart: rows of one batch, so equal within rounding
        apart = (nothing.state - nothing.state[0]).abs().amax(-1)
        assert (apart <= state_slack(case, patterns, nothing.state)).all()


@over(MODERN)
@pytest.mark.parametrize("choice", [{}, {"clamp": False}, {"evidence": "all"}], ids=str)
def test_fields_describe_the_state_under_a_mask(case, choice):
    patterns, cues = patterns_and_cues(case, torch.float64)
    known = random_masks(*cues.shape)
    memory = filled(case, patterns)
    found = memory.retrieve(cues, known, steps=2, trace=True, tol=0.0, **choice)
    full = choice.get("evidence") == "all"
    again = memory.retrieve(found.state, None if full else known, steps=0)
    assert found.objective == again.objective == ("full" if full else "known")
    eps = torch.finfo(torch.float64).eps
    slack = energy_slack(case, patterns, found.state, found.energy, eps)
    if full:
        assert ((memory.energy(torch.where(known, cues, 0)) - found.trace[0]).abs() <= slack).all()
    assert ((again.energy - found.energy).abs() <= slack).all()
    assert torch.equal(again.index, found.index)


# ---- binary networks: unknown is 0


def test_an_unknown_unit_adds_nothing_to_a_field():
    """One synchronous sweep from a half known cue, by hand."""
    generator = seeded(0)
    patterns, cues = signs(4, DIM, generator=generator), signs(9, DIM, generator=generator)
    known = random_masks(*cues.shape)
    coupling = patterns.T @ patterns / DIM
    coupling.fill_diagonal_(0)
    memory = ClassicalHopfield(schedule="synchronous")
    memory.store(patterns)
    dense = DenseHopfield(separation=Polynomial(2))
    dense.store(patterns)
    found = memory.retrieve(cues, known, clamp=False, steps=1)
    also = dense.retrieve(cues, known, clamp=False, steps=1)
    for at, mask in enumerate(known):
        field = coupling[:, mask] @ cues[at, mask]
        expected = torch.where(field.abs() < 1e-6, torch.where(mask, cues[at], 1.0), field.sign())
        assert torch.equal(found.state[at], expected)
        assert torch.equal(also.state[at], expected)


@pytest.mark.parametrize("schedule", ["synchronous", "asynchronous"])
def test_a_zero_in_the_cue_is_an_unknown_entry(schedule):
    patterns, cues = signs(3, DIM, generator=seeded(0)), signs(5, DIM, generator=seeded(1))
    known = random_masks(5, DIM)
    for memory in (ClassicalHopfield(schedule=schedule), DenseHopfield(0.3, schedule=schedule)):
        memory.store(patterns)
        by_mask = memory.retrieve(cues, known, clamp=False, trace=True)
        by_zero = memory.retrieve(torch.where(known, cues, 0.0), trace=True)
        assert_same_bits(by_mask, by_zero)


@pytest.mark.parametrize("schedule", ["synchronous", "asynchronous"])
def test_a_unit_that_nothing_speaks_for_becomes_one_and_is_not_converged(schedule):
    rows = torch.tensor([[1.0, 1, 1, 1], [1.0, 1, 1, -1]])
    cue = torch.tensor([[1.0, 1, 1, 0], [1.0, 1, 1, -1]])
    for memory in (ClassicalHopfield(schedule=schedule), DenseHopfield(2.0, schedule=schedule)):
        memory.store(rows)
        found = memory.retrieve(cue, trace="states")
        assert found.state.tolist() == [[1, 1, 1, 1], [1, 1, 1, -1]]
        assert torch.equal(found.states[-1], found.state)
        assert found.converged.tolist() == [False, True]
        assert torch.equal(found.energy, memory.energy(found.state).to(found.energy.dtype))
        assert torch.equal(found.trace[-1], found.energy)
        assert found.index.tolist() == [0, 1]


# ---- what a mask is for


def test_half_known_digits_are_recalled_only_if_the_unknown_half_does_not_count():
    digits = data.load("digits")
    binary, grey = digits.binary()[:100], digits.patterns[:100]
    known = torch.arange(64) < 32
    memory = DenseHopfield(beta=0.1 * 784 / 64)
    memory.store(binary)
    as_unknown = memory.retrieve(binary, known)
    as_ink = memory.retrieve(torch.where(known, binary, 1.0))
    right = [(found.state == binary).all(-1).double().mean() for found in (as_unknown, as_ink)]
    assert right[0] > 0.85 > 0.6 > right[1]
    modern = ModernHopfield(512.0, similarity="euclidean")
    modern.store(grey)
    found = modern.retrieve(grey, known)
    assert (found.index == torch.arange(100)).double().mean() == 1.0
    black = modern.retrieve(torch.where(known, grey, 0.0))
    assert (black.index == torch.arange(100)).double().mean() < 0.9, "premise: hiding does harm"
