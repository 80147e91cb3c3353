"""The contract of every memory: energies fall where promised, and all fields describe the state."""

from itertools import pairwise

import pytest
import torch

from cases import (
    CASES,
    DESCENDING,
    DETERMINISTIC,
    DIM,
    FULL,
    MODERN,
    WITH_ENERGY,
    Case,
    brought,
    computing,
    energy_slack,
    every_deterministic_memory,
    filled,
    in_turn,
    kappa,
    over,
    patterns_and_cues,
    random_masks,
    seeded,
    shares_of,
    signs,
    state_slack,
)
from hopfield import Memory, ModernHopfield, Retrieval, Softmax, energy
from hopfield.errors import OptionError
from hopfield.similarity import SIMILARITIES
from hopfield.stores import Block

pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")


def negative_diagonal(case: Case) -> bool:
    """True if W_ii may be negative: then x_i² W_ii counts once an unknown unit is decided."""
    return case.ordered and "diagonal" in case.name


MASKED = [case for case in MODERN if case.descends]


def path(memory: Memory, cues: torch.Tensor, steps: int = 5, **options) -> list[Retrieval]:
    """The retrieval after 0, 1, 2 … steps."""
    return [memory.retrieve(cues, steps=t, tol=0.0, **options) for t in range(steps)]


def assert_falls(case: Case, patterns: torch.Tensor, found: list[Retrieval]) -> None:
    """The energy never rises, but by rounding; and it does fall."""
    eps = torch.finfo(computing(patterns.dtype)).eps
    for before, after in pairwise(found):
        slack = energy_slack(case, patterns, before.state, before.energy, eps)
        rise = after.energy.double() - before.energy.double()
        assert (rise <= slack).all(), rise.max()
    assert (found[-1].energy < found[0].energy).any(), "premise: there is something to descend"


@in_turn(DESCENDING)
def test_energy_never_rises(case, dtype):
    patterns, cues = patterns_and_cues(case, dtype)
    if case.binary:  # beyond the capacity too
        cues = torch.cat([cues, signs(6, DIM, generator=seeded(9), dtype=dtype)])
    memory = filled(case, patterns)
    assert_falls(case, patterns, path(memory, cues, 4))


@over([case for case in DESCENDING if case.kind == "classical" and not negative_diagonal(case)])
def test_energy_never_rises_from_unknown_entries(case):
    patterns, cues = patterns_and_cues(case, torch.float64)
    memory = filled(case, patterns)
    states = [torch.where(random_masks(*cues.shape), cues, 0.0)]
    for seed in range(4):
        states.append(memory.update(states[-1], generator=seeded(seed)))
    energies = torch.stack([memory.energy(state) for state in states])
    slack = energy_slack(case, patterns, cues, energies, torch.finfo(torch.float64).eps)
    assert (energies.diff(dim=0) <= slack[1:]).all()


@in_turn(MASKED, dtypes=FULL)
@pytest.mark.parametrize("shared", [True, False])
def test_full_energy_never_rises_from_step_one_on(case, dtype, shared):
    """Promise (a): one known-only step, then clamped reads by all entries."""
    patterns, cues = patterns_and_cues(case, dtype)
    known = random_masks(DIM) if shared else random_masks(*cues.shape)
    found = path(filled(case, patterns), cues, known=known, evidence="all")
    assert {each.objective for each in found} == {"full"}
    assert_falls(case, patterns, found[1:])


@in_turn(MASKED, 1, dtypes=FULL)
@pytest.mark.parametrize("shared", [True, False])
def test_known_energy_never_rises_unclamped(case, dtype, shared):
    """Promise (b): scores on known entries, nothing held."""
    patterns, cues = patterns_and_cues(case, dtype)
    known = random_masks(DIM) if shared else random_masks(*cues.shape)
    found = path(filled(case, patterns), cues, known=known, clamp=False)
    assert {each.objective for each in found} == {"known"}
    assert_falls(case, patterns, found)


@over(MODERN)
def test_known_evidence_and_clamp_is_one_read(case):
    patterns, cues = patterns_and_cues(case, torch.float64)
    found = filled(case, patterns).retrieve(cues, random_masks(*cues.shape))
    assert found.converged.all()
    assert (found.steps <= 1).all()
    assert (found.steps == 1).any()


# ---- all fields describe Retrieval.state


@in_turn(WITH_ENERGY, 2)
def test_energy_is_that_of_the_state(case, dtype):
    patterns, cues = patterns_and_cues(case, dtype)
    memory = filled(case, patterns)
    for steps in (0, 1, 9):
        found = memory.retrieve(cues, steps=steps)
        assert found.objective == "full"
        slack = energy_slack(case, patterns, found.state, found.energy, torch.finfo(dtype).eps)
        error = memory.energy(found.state).double() - found.energy.double()
        assert (error.abs() <= slack).all()


@over([case for case in WITH_ENERGY if not case.thermal])
def test_trace_holds_the_energies_along_the_way(case):
    patterns, cues = patterns_and_cues(case, torch.float64)
    memory = filled(case, patterns)
    found = memory.retrieve(cues, trace=True, steps=4, tol=0.0)
    assert torch.equal(found.trace[0], memory.retrieve(cues, steps=0).energy)
    eps = torch.finfo(torch.float64).eps
    slack = energy_slack(case, patterns, cues, found.trace[0], eps)
    assert ((found.trace[0] - memory.energy(cues)).abs() <= slack).all(), "trace[0] is the cue's"
    for step, each in enumerate(path(memory, cues, len(found.trace))):
        assert ((found.trace[step] - each.energy).abs() <= slack).all()
    assert torch.equal(found.trace[-1], found.energy), "who has settled keeps the last"
    assert memory.retrieve(cues, steps=4).trace is None


@every_deterministic_memory
def test_states_of_the_trace_are_those_along_the_way(case):
    patterns, cues = patterns_and_cues(case, torch.float64)
    memory = filled(case, patterns)
    found = memory.retrieve(cues, trace="states", steps=4)
    assert torch.equal(found.states[0], cues) and len(found.states) == 1 + found.steps.max()
    for step, state in enumerate(found.states):
        alone = memory.retrieve(cues, steps=step)
        assert ((state - alone.state).abs().amax(-1) <= state_slack(case, patterns, state)).all()
        settled = step >= found.steps
        assert torch.equal(state[settled], found.state[settled]), "the settled repeat their last"
    by_energies = memory.retrieve(cues, trace=True, steps=4)
    assert by_energies.states is None
    assert not case.has_energy or torch.equal(by_energies.trace, found.trace)


@over([case for case in CASES if not case.has_energy])
def test_a_coupling_that_is_not_symmetric_has_no_energy(case):
    patterns, cues = patterns_and_cues(case, torch.float32)
    memory = filled(case, patterns)
    found = memory.retrieve(cues, trace=True)
    assert found.energy is None and found.trace is None
    with pytest.raises(OptionError, match="its coupling was declared not symmetric"):
        memory.energy(cues)


def naive_scores(case: Case, patterns: torch.Tensor, state: torch.Tensor, known=None):
    """All scores at once, in float64."""
    block = Block(0, patterns.double())
    return SIMILARITIES[case.similarity](block, state.double(), known)


@in_turn(DETERMINISTIC, dtypes=FULL)
def test_index_is_the_strongest_pattern(case, dtype):
    patterns, cues = patterns_and_cues(case, dtype)
    memory = filled(case, patterns)
    for steps in (0, 1, 50):
        found = memory.retrieve(cues, steps=steps)
        scores = naive_scores(case, patterns, found.state)
        if case.binary:  # exact: the first of those that tie
            assert torch.equal(found.index, scores.argmax(-1))
            continue
        if case.has_prior:  # weights include the prior
            weights = memory.separation(scores, **brought(case, patterns))
            margin = weights.amax(-1) - weights.gather(-1, found.index[:, None]).squeeze(-1)
            slack = 16 * torch.finfo(dtype).eps * kappa(case, patterns, found.state)
            assert (margin <= slack).all()
            continue
        margin = scores.amax(-1) - scores.gather(-1, found.index[:, None]).squeeze(-1)
        rounding = 8 * torch.finfo(dtype).eps * patterns.double().norm(dim=-1).max().square()
        assert (margin <= rounding).all()


@in_turn(DETERMINISTIC, 1, dtypes=FULL)
def test_weight_and_entropy_are_those_at_the_state(case, dtype):
    patterns, cues = patterns_and_cues(case, dtype)
    memory = filled(case, patterns)
    found = memory.retrieve(cues, steps=1)
    scores = naive_scores(case, patterns, found.state)
    eps = torch.finfo(dtype).eps
    if not case.has_weights:
        overlap = scores.amax(-1) / DIM
        assert ((found.weight.double() - overlap).abs() <= eps).all()
        assert found.entropy is None
        return
    # A state far from all patterns has weights of 0.
    weights = shares_of(memory.separation, scores, **brought(case, patterns)).nan_to_num()
    largest = weights.gather(-1, found.index[:, None]).squeeze(-1)
    entropy = -torch.xlogy(weights, weights).sum(-1)
    # A score's rounding, eps·M², moves weights by β times as much.
    slack = 16 * eps * (1 + case.beta * patterns.double().square().sum(-1).max())
    assert ((found.weight.double() - largest).abs() <= slack).all()
    assert ((found.entropy.double() - entropy).abs() <= 4 * slack).all()


# ---- update and energy belong together


@over(MASKED)
def test_an_update_is_a_unit_step_down_the_gradient(case):
    """E = ½‖x‖² − F(Xx) gives x − ∇E = Xᵀ∇F = x'; the same for Euclid.

    If weights do not sum to one, the step is ∇E over their sum.
    """
    patterns, cues = patterns_and_cues(case, torch.float64)
    memory = filled(case, patterns)
    state = cues.clone().requires_grad_()
    (slope,) = torch.autograd.grad(memory.energy(state).sum(), state)
    scores = naive_scores(case, patterns, cues)
    total = memory.separation(scores, **brought(case, patterns)).sum(-1, keepdim=True)
    expected = cues - torch.where(total > 0, slope / total, 0.0)
    torch.testing.assert_close(expected, memory.update(cues), rtol=1e-9, atol=1e-9)


def test_the_energy_of_the_modern_network_stays_in_its_bounds():
    """0 ≤ E ≤ 2M² on the hull of the patterns (Ramsauer et al. 2021)."""
    generator = seeded(0)
    patterns = torch.randn(6, DIM, generator=generator, dtype=torch.float64)
    mixing = torch.rand(500, 6, generator=generator, dtype=torch.float64) ** 4
    states = torch.cat([mixing / mixing.sum(-1, keepdim=True) @ patterns, patterns])
    largest = patterns.square().sum(-1).max()
    for beta in (0.0, 0.01, 1.0, 100.0, float("inf")):
        memory = ModernHopfield(beta)
        memory.store(patterns)
        value = memory.energy(states)
        assert (value >= -1e-12 * largest).all()
        assert (value <= 2 * largest).all()


def test_the_energy_of_a_single_pattern_is_half_the_distance_squared():
    rows = torch.tensor([[3.0, 4.0]], dtype=torch.float64)
    state = torch.tensor([0.0, 1.0], dtype=torch.float64)
    for similarity in ("dot", "euclidean"):
        memory = ModernHopfield(separation=Softmax(2.0), similarity=similarity)
        memory.store(rows)
        assert memory.energy(state).item() == pytest.approx((9 + 9) / 2, rel=1e-15)
    assert energy.modern(state, torch.tensor(4.0), torch.tensor(5.0)).item() == 9.0
