"""Compare two answers: within the slack of rounding, or in every bit."""

import torch
from torch import Tensor

import hopfield
from cases import Case, energy_slack, state_slack
from hopfield.similarity import SIMILARITIES


def assert_same_answer(
    case: Case, patterns: Tensor, one: hopfield.Retrieval, other: hopfield.Retrieval
) -> None:
    """Two retrievals of the same cues agree within the slack of architecture.md."""
    moved = (one.state.double() - other.state.double()).abs().amax(-1)
    assert (moved <= state_slack(case, patterns, one.state)).all(), moved
    assert (one.energy is not None) is (other.energy is not None) is case.has_energy
    if one.energy is not None and other.energy is not None:
        eps = torch.finfo(one.state.dtype).eps
        slack = energy_slack(case, patterns, one.state, one.energy, eps)
        assert ((one.energy.double() - other.energy.double()).abs() <= slack).all()
    assert torch.equal(one.steps, other.steps)
    assert torch.equal(one.converged, other.converged)
    if case.has_ties:  # between two patterns, rounding decides
        scores = SIMILARITIES[case.similarity](patterns.double(), one.state.double())
        lead = scores.gather(-1, one.index[:, None]) - scores.gather(-1, other.index[:, None])
        assert (lead.abs().squeeze(-1) <= slack).all()
        return
    assert torch.equal(one.index, other.index)


def assert_same_bits(one: hopfield.Retrieval, other: hopfield.Retrieval) -> None:
    """Two retrievals agree in every bit of every field."""
    for name in ("state", "steps", "converged", "energy", "index", "weight", "entropy", "value"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert (mine is None) == (theirs is None), name
        assert mine is None or torch.equal(mine.isnan(), theirs.isnan()), name
        assert mine is None or torch.equal(mine.nan_to_num(), theirs.nan_to_num()), name
    assert one.objective == other.objective
    for name in ("trace", "states"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert (mine is None) == (theirs is None), name
        assert mine is None or torch.equal(mine, theirs), name
