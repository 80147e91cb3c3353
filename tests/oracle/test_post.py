"""Norms after the readout against torch, Fenchel's inequality, random search and autograd."""

import pytest
import torch
from torch.nn.functional import layer_norm, normalize

from cases import random_masks, seeded
from hopfield import (
    Entmax,
    Epanechnikov,
    KSubsets,
    ModernHopfield,
    Normmax,
    Softmax,
    Sparsemax,
    TopK,
    diagnose,
    explain,
    load,
)
from hopfield.errors import DomainError, OptionError
from hopfield.post import POST_TRANSFORMS

DIM, COUNT = 12, 9
SEPARATIONS = {
    "softmax": Softmax(3.0),
    "sharp": Softmax(60.0),
    "sparsemax": Sparsemax(2.0),
    "entmax": Entmax(1.5, 2.0),
    "normmax": Normmax(2.0, 1.0),
    "topk": TopK(3, 3.0),
    "ksubsets": KSubsets(2, 1.0),
}
POSTS = ("unit_norm", "layer_norm")


def projected(post: str, rows: torch.Tensor) -> torch.Tensor:
    """The transform by torch."""
    if post == "unit_norm":
        return normalize(rows, dim=-1)
    return layer_norm(rows, rows.shape[-1:], eps=0.0)


def rows(count: int, seed: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Random rows, `(count, DIM)`, of norms around √DIM."""
    return torch.randn(count, DIM, generator=seeded(seed), dtype=torch.float64).to(dtype)


def filled(
    post: str, separation=SEPARATIONS["softmax"], similarity="dot", patterns=None, **options
):
    """A memory with patterns on the sphere of its post-transform, unless others are given."""
    memory = ModernHopfield(separation=separation, similarity=similarity, post=post)
    memory.store(projected(post, rows(COUNT, 0)) if patterns is None else patterns, **options)
    return memory


def cues(post: str, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """States on the sphere, inside and far outside of it."""
    on = projected(post, rows(20, 1))
    return torch.cat([on, 0.3 * on, rows(20, 2), 8 * rows(20, 3) + 1]).to(dtype)


every_post = pytest.mark.parametrize("post", POSTS)
every_separation = pytest.mark.parametrize("name", SEPARATIONS)
every_similarity = pytest.mark.parametrize("similarity", ["dot", "euclidean"])


@every_post
@every_similarity
def test_an_update_is_the_norm_of_the_sum(post, similarity):
    memory, state = filled(post, similarity=similarity), cues(post)
    bias = memory.patterns.square().sum(-1) / 2 if similarity == "euclidean" else 0.0
    weights = torch.softmax(3.0 * (state @ memory.patterns.T - bias), -1)
    expected = projected(post, weights @ memory.patterns)
    torch.testing.assert_close(memory.update(state), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(memory.retrieve(state, steps=1, tol=0.0).state, expected)


@every_post
@every_separation
@every_similarity
@pytest.mark.parametrize("given", [True, False], ids=["on", "off"])
def test_an_update_minimises_the_bound_of_the_energy(post, name, similarity, given):
    """Ψ(y) − z·y ≥ −Ψ*(z) for every y, with equality at x' (Fenchel); z = ∇(Ψ − E) by autograd."""
    patterns = None if given else 2 * rows(COUNT, 5) + 0.5
    memory = filled(post, SEPARATIONS[name], similarity, patterns)
    largest, transform = memory.patterns.norm(dim=-1).max(), POST_TRANSFORMS[post]
    state = cues(post).requires_grad_()
    potential = transform.potential(state, largest) - memory.energy(state)
    (sums,) = torch.autograd.grad(potential.sum(), state)
    after = memory.update(state.detach())
    inside = sums if post == "unit_norm" else sums - sums.mean(-1, keepdim=True)
    radius = 1.0 if post == "unit_norm" else DIM**0.5
    conjugate = radius * inside.norm(dim=-1) - largest * radius

    def bound(y: torch.Tensor) -> torch.Tensor:
        return transform.potential(y, largest) - (sums * y).sum(-1)

    torch.testing.assert_close(bound(after), -conjugate, rtol=1e-10, atol=1e-10)
    others = torch.cat([after + 0.1 * rows(len(after), 7), 3 * rows(len(after), 8), state.detach()])
    assert (bound(others.reshape(3, *after.shape)) >= -conjugate - 1e-10).all()
    assert (memory.energy(state) >= -1e-10).all()


@every_post
@every_separation
@every_similarity
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_energy_never_rises(post, name, similarity, dtype):
    for patterns in (projected(post, rows(COUNT, 0)), 2 * rows(COUNT, 5) + 0.5):
        memory = filled(post, SEPARATIONS[name], similarity, patterns.to(dtype))
        found = memory.retrieve(cues(post, dtype), trace="states", tol=0.0, steps=30)
        largest = patterns.norm(dim=-1).max()
        size = torch.maximum(largest, found.states.double().norm(dim=-1)) * largest
        kappa = 1 + (memory.separation.inverse_width() or 0.0) * size
        slack = 8 * torch.finfo(dtype).eps * kappa * size
        assert (found.trace.diff(dim=0) <= slack[1:]).all()
        assert (found.trace[-1] < found.trace[0]).any(), "premise: there is something to descend"
        torch.testing.assert_close(found.trace[-1], memory.energy(found.state))
        torch.testing.assert_close(projected(post, found.state), found.state)


@every_post
@every_separation
def test_a_fixed_point_is_stationary_on_the_sphere(post, name):
    memory = filled(post, SEPARATIONS[name])
    found = memory.retrieve(cues(post), tol=1e-13, steps=5000)
    state = found.state[found.converged].requires_grad_()
    assert len(state) > 10, "premise: most settle"
    scores = state @ memory.patterns.T
    (slope,) = torch.autograd.grad(memory.separation.potential(scores).sum(), state)
    tangent = slope if post == "unit_norm" else slope - slope.mean(-1, keepdim=True)
    tangent = tangent - (tangent * state).sum(-1, keepdim=True) * state / state.square().sum(
        -1, keepdim=True
    )
    assert tangent.abs().max() <= 1e-8 * slope.abs().max()


@every_post
def test_patterns_on_the_sphere_are_recalled_exactly_with_a_margin(post):
    memory = filled(post, Sparsemax(50.0))
    found = memory.retrieve(memory.patterns + 0.02 * rows(COUNT, 4))
    torch.testing.assert_close(found.state, memory.patterns, rtol=1e-12, atol=1e-12)
    assert torch.equal(found.index, torch.arange(COUNT)) and found.converged.all()


# ---- known entries: held, and the others on the sphere that these leave


def partial_cues(post: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Known entries of vectors on the sphere, differently for each cue."""
    known = random_masks(20, DIM)
    known[:, :3] = False
    return projected(post, rows(20, 1)), known


@every_post
@every_similarity
@every_separation
def test_known_entries_are_held_and_the_rest_is_the_best_on_the_sphere(post, similarity, name):
    memory = filled(post, SEPARATIONS[name], similarity)
    cue, known = partial_cues(post)
    found = memory.retrieve(cue, known)
    assert torch.equal(found.state[known], cue[known])
    assert found.converged.all() and (found.steps <= 1).all() and found.objective == "known"
    torch.testing.assert_close(projected(post, found.state), found.state)
    block = torch.where(known, cue, 0.0)
    scores = block @ memory.patterns.T
    if similarity == "euclidean":
        scores = scores - known.double() @ memory.patterns.square().T / 2
    sums = memory.separation(scores) @ memory.patterns
    best = (sums * found.state).sum(-1)
    for seed in range(200):  # other states on the sphere with these entries
        free = torch.where(known, 0.0, rows(20, 100 + seed))
        count = (~known).sum(-1, keepdim=True)
        middle = 0.0
        if post == "layer_norm":
            free = torch.where(known, 0.0, free - free.sum(-1, keepdim=True) / count)
            middle = -block.sum(-1, keepdim=True) / count
        whole = 1.0 if post == "unit_norm" else DIM
        room = whole - block.square().sum(-1, keepdim=True) - count * middle**2
        other = torch.where(known, cue, middle + normalize(free, dim=-1) * room.sqrt())
        torch.testing.assert_close(projected(post, other), other)
        assert ((sums * other).sum(-1) <= best + 1e-9).all()


@every_post
@every_similarity
@every_separation
def test_the_full_energy_falls_from_the_first_read_on(post, similarity, name):
    memory = filled(post, SEPARATIONS[name], similarity)
    cue, known = partial_cues(post)
    found = memory.retrieve(cue, known, evidence="all", trace="states", tol=0.0)
    assert found.objective == "full" and torch.equal(found.state[known], cue[known])
    assert (found.trace.diff(dim=0)[1:] <= 1e-11).all()
    torch.testing.assert_close(projected(post, found.states[1]), found.states[1])
    torch.testing.assert_close(found.energy, memory.energy(found.state))


@every_post
def test_known_entries_that_fit_on_no_sphere_are_refused(post):
    memory = filled(post)
    cue, known = partial_cues(post)
    with pytest.raises(DomainError, match=f"post='{post}', but those of query 3"):
        cue[3] *= 5
        memory.retrieve(cue, known)
    everything = torch.ones(DIM, dtype=torch.bool)
    assert torch.equal(memory.retrieve(cue, everything).state, cue)


@every_post
def test_half_precision_cues_fit(post):
    memory = filled(post, patterns=projected(post, rows(COUNT, 0)).to(torch.float16))
    known = torch.arange(DIM) < DIM - 1
    state = memory.retrieve(memory.patterns, known).state
    assert torch.equal(state[:, known], memory.patterns[:, known])


# ---- what else memories do


@every_post
@every_similarity
def test_duplicates_are_priors_and_order_does_not_matter(post, similarity):
    patterns, prior = projected(post, rows(COUNT, 0)), torch.ones(COUNT)
    prior[2] = 3
    weighted = filled(post, similarity=similarity, patterns=patterns, prior=prior)
    copies = torch.cat([patterns.flip(0), patterns[2:3], patterns[2:3]])
    twice = filled(post, similarity=similarity, patterns=copies)
    state = cues(post)
    torch.testing.assert_close(weighted.update(state), twice.update(state))
    torch.testing.assert_close(weighted.energy(state), twice.energy(state))


@every_post
def test_a_file_and_a_text_say_so(post, tmp_path):
    memory = filled(post)
    memory.save(tmp_path / "memory")
    again = load(tmp_path / "memory")
    assert repr(again) == repr(memory) and f"post='{post}'" in repr(memory)
    assert torch.equal(again.update(cues(post)), memory.update(cues(post)))
    assert "post" not in ModernHopfield(1.0).config()


@every_post
def test_updates_and_energies_are_differentiable(post):
    state = cues(post)[40:64].requires_grad_()  # E has kinks on the sphere and in its plane
    memory = filled(post)
    assert torch.autograd.gradcheck(memory.update, state)
    assert torch.autograd.gradcheck(memory.energy, state)


@every_post
@pytest.mark.parametrize("scale", [1e-30, 1e15])
def test_the_unit_of_the_patterns_does_not_matter(post, scale):
    patterns = projected(post, rows(COUNT, 0)).float()
    state = cues(post).float()
    plain = filled(post, Softmax(3.0), patterns=patterns).update(state)
    scaled = filled(post, Softmax(3.0 / scale), patterns=patterns * scale).update(state)
    torch.testing.assert_close(plain, scaled, rtol=1e-4, atol=1e-4)


@every_post
def test_a_state_stays_where_the_sum_has_no_direction(post):
    row = projected(post, rows(1, 0)).float()
    memory = filled(post, patterns=torch.cat([row, -row]))
    between = projected(post, rows(1, 1)).float()
    between = between - (between @ row.T) / row.square().sum() * row
    state = memory.update(between)
    torch.testing.assert_close(state, between)
    assert torch.equal(memory.update(torch.zeros(DIM)), torch.zeros(DIM))


@every_post
def test_beta_can_be_fitted_and_a_memory_diagnosed(post):
    memory = ModernHopfield("auto", post=post)
    memory.store(projected(post, rows(COUNT, 0)))
    assert memory.similarity == "euclidean"
    report = diagnose(memory)
    assert report.attractor.all() and report.radius.isnan().all()
    assert explain(memory, memory.patterns[0]).kind == "stored"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"post": "batch_norm"}, "post must be one of"),
        ({"precision": "certified"}, "precision must be 'full' with post='unit_norm'"),
        ({"similarity": "cosine"}, "Softmax and 'cosine'.*normalise the patterns"),
        ({"similarity": lambda rows, state, known: state @ rows.T}, "Softmax and '<lambda>'"),
        ({"separation": Epanechnikov(0.5)}, "Epanechnikov and 'euclidean'"),
    ],
    ids=["name", "certified", "cosine", "own-similarity", "separation"],
)
def test_what_has_no_energy_on_the_sphere_is_refused(options, message):
    given = {"post": "unit_norm"} | ({} if "separation" in options else {"beta": 1.0}) | options
    with pytest.raises(OptionError, match=message):
        ModernHopfield(**given)


@every_post
def test_free_known_entries_and_gaps_are_refused(post):
    memory = filled(post)
    cue, known = partial_cues(post)
    with pytest.raises(OptionError, match=f"clamp must be True with post='{post}'"):
        memory.retrieve(cue, known, clamp=False)
    with pytest.raises(OptionError, match="stores complete patterns only"):
        ModernHopfield(1.0, post=post).store(cue, known=known)
