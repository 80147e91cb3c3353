"""Calibrations: p-values as counted by hand, rates of strangers, forms of damage."""

import itertools
from functools import partial

import numpy as np
import pytest
import torch

from calibrating import (
    DAMAGES,
    NETWORKS,
    Recorder,
    calibrated,
    hide_and_noise,
    noise,
    normal,
    seeded,
)
from hopfield import Cue, ModernHopfield, corruption, data
from hopfield.calibration import TopScores, p_values, threshold


def similarity_by_hand(kind, row, state, known):
    """One similarity, per known entry where it is a sum."""
    x, q = row[known], state[known]
    if kind in ("euclidean", "dot"):
        return -0.5 * np.mean((x - q) ** 2)
    if kind == "manhattan":
        return -np.mean(np.abs(x - q))
    if kind == "correlation":
        x, q = x - x.mean(), q - q.mean()
    if kind == "overlap":
        return np.mean(x * q)
    return x @ q / np.linalg.norm(x) / np.linalg.norm(q)


def table_by_hand(kind, rows, cue):
    """All similarities, `(cues, rows)`, in float64 and one pair at a time."""
    rows, states = rows.double().numpy(), cue.state.double().numpy()
    known = np.ones(states.shape, bool) if cue.known is None else cue.known.numpy()
    if kind == "overlap":
        known = known & (states != 0)
    pairs = itertools.product(range(len(states)), range(len(rows)))
    scores = [similarity_by_hand(kind, rows[j], states[i], known[i]) for i, j in pairs]
    return np.array(scores).reshape(len(states), len(rows))


def score_by_hand(name, scores):
    first, second = np.sort(scores)[::-1][:2]
    return first if name == "distance" else first - second


CASES = [
    (network, damage)
    for network, damage in itertools.product(NETWORKS, DAMAGES)
    if (NETWORKS[network][1] == "overlap") == (damage in ("flipped", "hidden"))
    or (damage == "hidden" and NETWORKS[network][1] != "overlap")
]


@pytest.mark.parametrize(("network", "damage"), CASES)
def test_scores_and_p_values_are_those_counted_by_hand(network, damage):
    memory, calibration, recorder, rows = calibrated(network, damage)
    kind, n = NETWORKS[network][1], len(rows)
    first, second = (table_by_hand(kind, rows, cue) for cue in recorder.cues)
    own = [int((rows == row).all(1).nonzero()) for row in recorder.patterns[0]]
    assert sorted(own) == list(range(n)) and recorder.patterns[0].equal(recorder.patterns[1])

    accepted = {}
    for name in ("distance", "margin"):
        lone = [np.delete(scores, i) for scores, i in zip(first, own, strict=True)]
        strangers = np.array([score_by_hand(name, scores) for scores in lone])
        stored = np.array([score_by_hand(name, scores) for scores in first])
        p = (1 + (strangers >= stored[:, None]).sum(1)) / (n + 1)
        accepted[name] = int(((p <= 0.2) & (first.argmax(1) == own)).sum())
    assert max(accepted.values()) > 5, "premise: some are recognised"
    assert calibration.score == max(accepted, key=accepted.get)

    lone = [np.delete(scores, i) for scores, i in zip(second, own, strict=True)]
    strangers = np.sort([score_by_hand(calibration.score, scores) for scores in lone])
    assert np.allclose(calibration.strangers.numpy(), strangers, rtol=1e-6, atol=1e-9)

    cues = DAMAGES[damage](torch.cat([rows[:6], rows[:6].roll(7, -1)]), seeded(9))
    answers = memory.retrieve(cues)
    table = table_by_hand(kind, rows, cues)
    scores = table[range(len(table)), answers.index]
    if calibration.score == "margin":
        scores -= [np.delete(t, i).max() for t, i in zip(table, answers.index, strict=True)]
    counts = (strangers >= scores[:, None] - 1e-9).sum(1)
    assert answers.p_value.tolist() == pytest.approx(((1 + counts) / (n + 1)).tolist())
    assert answers.accepted.equal(answers.p_value <= 0.2)
    assert answers.calibrated is True


def test_a_memory_without_calibration_has_no_p_values():
    memory = ModernHopfield(40.0)
    memory.store(normal(5, 8, 0))
    answer = memory.retrieve(normal(5, 8, 1))
    assert memory.calibration is None
    assert (answer.p_value, answer.accepted, answer.calibrated) == (None, None, None)
    assert "accepted" not in repr(answer)


def test_p_values_at_ties_and_ends():
    strangers = torch.tensor([1.0, 2.0, 2.0, 3.0], dtype=torch.float64)
    scores = torch.tensor([0.0, 1.0, 2.0, 2.5, 3.0, 4.0, -torch.inf], dtype=torch.float64)
    assert p_values(strangers, scores).tolist() == pytest.approx([1, 1, 0.8, 0.4, 0.4, 0.2, 1])
    assert p_values(strangers[:0], scores).tolist() == [1] * 7


@pytest.mark.parametrize(
    ("count", "alpha"), [(19, 0.05), (99, 0.01), (60, 0.05), (9, 0.1), (7, 0.5)]
)
def test_the_threshold_divides_accepted_from_refused(count, alpha):
    strangers = normal(count, 1, 3, torch.float64)[:, 0].sort().values
    limit = threshold(strangers, alpha)
    near = torch.cat([strangers, strangers - 1e-6, strangers + 1e-6])
    assert ((p_values(strangers, near) <= alpha) == (near > limit)).all()
    assert int((strangers > limit).sum()) == int(alpha * (count + 1) + 1e-9) - 1
    assert threshold(strangers, 1 / (count + 1.5)) == torch.inf


def rate_of_strangers(seed, count, test, given, alpha):
    """Share of fresh strangers that are accepted."""
    rows = normal(count + given + test, 12, seed)
    memory = ModernHopfield(8.0, similarity="euclidean")
    memory.store(rows[:count])
    strangers = rows[count : count + given] if given else None
    memory.calibrate(noise, alpha, strangers=strangers, generator=seeded(seed))
    return float(
        memory.retrieve(noise(rows[count + given :], seeded(-1 - seed))).accepted.double().mean()
    )


def test_given_strangers_make_the_rate_exact():
    """The rate has mean α over calibrations, and standard deviation √(α(1 − α)/(m + 2))."""
    rates = torch.tensor([rate_of_strangers(s, 60, 200, 99, 0.1) for s in range(80)])
    error = ((0.09 / 101 + 0.09 / 200) / 80) ** 0.5
    assert abs(rates.mean() - 0.1) < 4 * error
    assert rates.std() < 1.5 * (0.09 / 101 + 0.09 / 200) ** 0.5


def test_leaving_out_is_nearly_exact():
    rates = torch.tensor([rate_of_strangers(s, 200, 200, 0, 0.1) for s in range(40)])
    error = ((0.09 / 202 + 0.09 / 200) / 40) ** 0.5
    assert abs(rates.mean() - 0.1) < 0.02 + 4 * error


@pytest.mark.parametrize("network", NETWORKS)
def test_an_answer_does_not_depend_on_its_batch(network):
    damage = "flipped" if NETWORKS[network][1] == "overlap" else "hidden and noise"
    memory, _, recorder, _ = calibrated(network, damage)
    cues = recorder.cues[0]
    whole = memory.retrieve(cues)
    single = [memory.retrieve(cue) for cue in cues]
    assert whole.p_value.tolist() == [answer.p_value.item() for answer in single]
    assert single[0].accepted.shape == () and single[0].accepted.dtype == torch.bool
    grid = Cue(
        cues.state.reshape(4, 6, -1), None if cues.known is None else cues.known.reshape(4, 6, -1)
    )
    assert memory.retrieve(grid).p_value.reshape(-1).equal(whole.p_value)
    assert (
        memory.retrieve(cues[:0]).p_value.shape == memory.retrieve(cues[:0]).accepted.shape == (0,)
    )


@pytest.mark.parametrize("scale", [1000.0, 2.0**-20])
@pytest.mark.parametrize("network", ["euclidean", "dot", "manhattan", "cosine", "correlation"])
def test_p_values_have_no_unit(network, scale):
    make = NETWORKS[network][0]
    answers = []
    for unit in (1.0, scale):
        memory = make()
        memory.store(unit * normal(30, 20, 1))
        memory.calibrate(lambda x, generator, u=unit: u * noise(x / u, generator).state, 0.1)
        answers.append(memory.retrieve(unit * normal(30, 20, 2)))
        assert memory.calibration.score in ("distance", "margin")
    same = answers[0].index == answers[1].index  # β has a unit, and the answers may differ
    assert same.any() and answers[0].p_value[same].equal(answers[1].p_value[same])


def test_copies_count_as_one_pattern():
    rows, cues = normal(30, 20, 1), noise(normal(30, 20, 1), seeded(7))
    once, thrice = (ModernHopfield(8.0, similarity="euclidean") for _ in range(2))
    once.store(rows)
    thrice.store(torch.cat([rows, rows, rows]))
    for memory in (once, thrice):
        memory.calibrate(noise, 0.1)
    assert len(thrice.calibration.strangers) == 30
    assert thrice.calibration.accepted > 0.5, "premise: stored cues are accepted"
    assert once.retrieve(cues).p_value.equal(thrice.retrieve(cues).p_value)


def test_an_answer_that_is_not_the_nearest_pattern_is_judged_itself():
    """A hub of the dot product is the answer, and it is far from the cue."""
    rows = torch.cat([normal(40, 30, 1), 10 * normal(1, 30, 2)])
    memory = ModernHopfield(4.0)
    memory.store(rows)
    memory.calibrate(noise, 0.1)
    cue = noise(rows[:40], seeded(3))
    answer, near = memory.retrieve(cue), ModernHopfield(4.0, similarity="euclidean")
    near.store(rows)
    lost = answer.index == 40
    assert 5 < lost.sum() < 40, "premise: the hub takes some answers"
    assert not answer.accepted[lost].any()
    assert answer.accepted[~lost].double().mean() > 0.9


def test_a_cue_without_known_entries_is_not_accepted():
    for network in ("euclidean", "packed"):
        memory, _, _, rows = calibrated(network, "hidden")
        answer = memory.retrieve(rows[:3], torch.zeros(rows.shape[1], dtype=torch.bool))
        assert answer.p_value.tolist() == [1, 1, 1] and not answer.accepted.any()


def test_patterns_with_gaps_are_compared_by_common_entries():
    rows, known = normal(40, 80, 1), torch.rand(40, 80, generator=seeded(2)) < 0.7
    memory, recorder = ModernHopfield(20.0, similarity="euclidean"), Recorder(hide_and_noise)
    memory.store(torch.where(known, rows, torch.nan), known=known)
    calibration = memory.calibrate(recorder, 0.1)
    stored = torch.where(known, rows, 0.0)
    assert not (recorder.patterns[1] != 0).logical_and(recorder.patterns[1].abs() < 1e-30).any()
    own = [int((stored == row).all(1).nonzero()) for row in recorder.patterns[1]]
    lone = []
    for i, cue in zip(own, recorder.cues[1], strict=True):
        both = known & cue.known & known[i]
        scores = -0.5 * (stored - cue.state).square().mul(both).sum(1) / both.sum(1)
        lone.append(score_by_hand(calibration.score, np.delete(scores.double().numpy(), i)))
    assert np.allclose(calibration.strangers.numpy(), np.sort(lone), rtol=1e-5)
    assert calibration.accepted > 0.9
    fresh = memory.retrieve(hide_and_noise(normal(400, 80, 7), seeded(4)))
    assert fresh.accepted.double().mean() < 0.2


def test_without_a_comparable_runner_up_there_is_no_lead():
    """As in a memory of one pattern, or where no other shares a known entry with the cue."""
    low = -torch.inf
    pattern, rival = torch.tensor([-2.0, -2.0, low, low]), torch.tensor([-3.0, low, -3.0, low])
    scores = TopScores(pattern, rival, torch.full((4,), low))
    assert scores.score("margin").tolist() == [1, 0, low, low]
    assert scores.score("distance").equal(pattern)


DAMAGED_ALIKE = {
    "by name": (corruption.gaussian_noise, {"amount": 0.6}),
    "by partial": (partial(corruption.gaussian_noise, amount=0.6), {}),
    "a tensor": (lambda x, generator: noise(x, generator).state, {}),
    "other arguments": (lambda x, **rest: noise(x, rest["generator"]), {}),
}


@pytest.mark.parametrize("form", DAMAGED_ALIKE)
def test_forms_of_damage(form):
    damage, options = DAMAGED_ALIKE[form]
    memory, other = (ModernHopfield(8.0, similarity="euclidean") for _ in range(2))
    for each in (memory, other):
        each.store(normal(30, 20, 1))
    expected = memory.calibrate(noise, 0.1)
    assert other.calibrate(damage, 0.1, **options).strangers.equal(expected.strangers)


def test_damage_without_a_generator():
    memory = ModernHopfield(8.0, similarity="euclidean")
    memory.store(normal(30, 20, 1))
    halves = memory.calibrate(corruption.occlude_half, 0.1)
    assert "occlude_half" in repr(halves) and halves.accepted == halves.right == 1
    none = memory.calibrate(None, 0.1)
    assert "damage: none" in repr(none) and none.accepted == 1
    assert memory.retrieve(normal(30, 20, 1)).accepted.all()
    assert memory.retrieve(normal(400, 20, 2)).accepted.double().mean() < 0.25


def test_what_a_calibration_measures():
    """Its shares are those of `retrieve` from cues damaged alike."""
    memory, recorder = ModernHopfield(8.0, similarity="euclidean"), Recorder(noise)
    rows = normal(60, 6, 1)
    memory.store(rows)
    calibration = memory.calibrate(recorder, 0.3)
    answer = memory.retrieve(recorder.cues[1])
    assert 0 < calibration.accepted < 1 and 0 < calibration.right < 1, "premise"
    assert calibration.accepted == pytest.approx(answer.accepted.double().mean().item())
    right = (rows[answer.index] == recorder.patterns[1]).all(1)[answer.accepted]
    assert calibration.right == pytest.approx(right.double().mean().item())
    assert f"{calibration.accepted:.1%}" in repr(calibration)
    assert "60 stored patterns, left out in turn" in repr(calibration)
    assert f", {int(answer.accepted.sum())} accepted)" in repr(answer)


def test_large_memories_leave_out_a_sample():
    memory, recorder = ModernHopfield(8.0, similarity="euclidean"), Recorder(noise)
    memory.store(normal(300, 20, 1))
    calibration = memory.calibrate(recorder, 0.1, cues=50)
    assert len(calibration.strangers) == 50 and calibration.n_patterns == 300
    assert len(recorder.patterns[0].unique(dim=0)) == 50
    other = memory.calibrate(noise, 0.1, cues=50, generator=seeded(4))
    assert not other.strangers.equal(calibration.strangers)
    assert memory.calibrate(noise, 0.1, cues=50).strangers.equal(calibration.strangers)


def test_strangers_may_be_cues():
    rows, cue = normal(30, 20, 1), noise(normal(50, 20, 8), seeded(3))
    memory = ModernHopfield(8.0, similarity="euclidean")
    memory.store(rows)
    calibration = memory.calibrate(None, 0.1, strangers=cue)
    distances = torch.cdist(cue.state.double(), rows.double()).amin(1)
    assert calibration.score == "distance" and not calibration.left_out
    assert torch.allclose(calibration.strangers, (-distances.square() / 40).sort().values)
    assert "50 given ones" in repr(calibration)


def test_a_photo_that_was_never_stored_is_none_of_these():
    """A weight near 1 and convergence do not tell; the p-value does."""
    digits = data.load("digits")
    order = torch.randperm(len(digits), generator=seeded(0))
    stored, fresh = digits.patterns[order[:1000]], digits.patterns[order[1000:]]
    memory = ModernHopfield(512.0, similarity="euclidean")
    memory.store(stored)
    damage = partial(corruption.occlude_half, shape=digits.shape)
    calibration = memory.calibrate(damage, 0.01)
    assert calibration.accepted > 0.99 and calibration.right == 1
    known, strange = memory.retrieve(damage(stored)), memory.retrieve(damage(fresh))
    sure = strange.converged & (strange.weight > 0.99)
    assert sure.double().mean() > 0.7, "premise: most strangers get a sure answer"
    assert known.accepted.double().mean() > 0.99
    assert strange.accepted[sure].double().mean() < 0.03


def test_ties_are_ties_in_spite_of_rounding():
    strangers = torch.tensor([0.1 + 0.2, 3.0, 5.0], dtype=torch.float64)
    scores = torch.tensor([0.3, 0.3 + 1e-5], dtype=torch.float64)
    assert 0.1 + 0.2 > 0.3, "premise"
    assert p_values(strangers, scores).tolist() == [1, 0.75]
    above = torch.tensor([0.1 + 0.2], dtype=torch.float64)
    assert p_values(torch.tensor([0.3, 3.0, 5.0], dtype=torch.float64), above).tolist() == [1]
