"""`tune(objective="completion")` chooses what completes rows that are not stored best."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_wine

from diagnosed import gaussian, source
from hopfield import Cue, ModernHopfield, corruption, tune
from hopfield.analysis.search import DamagedPatterns
from hopfield.analysis.tuning import SEARCHES
from hopfield.leave_one_out import average_of_others, beta_limits, left_out_losses, without_own
from hopfield.separation import NAMED, SEPARATIONS
from hopfield.similarity import SIMILARITIES, as_similarity, euclidean


def wine():
    table = torch.tensor(load_wine().data, dtype=torch.float32)
    order = torch.randperm(len(table), generator=source(0))
    table = (table - table.mean(0)) / table.std(0)
    return table[order[:120]], table[order[120:]]


def error_of(patterns, beta, cue, rows):
    memory = ModernHopfield(beta, similarity="euclidean")
    memory.store(patterns)
    return (memory.retrieve(cue).state - rows)[~cue.known].square().mean().sqrt().item()


def test_rows_that_are_not_stored_need_another_beta_than_those_that_are():
    patterns, rows = wine()
    rows = rows.repeat(4, 1)
    cue = corruption.occlude_random(rows, 0.25)
    only = {"similarities": ["euclidean"]}
    recall = tune(patterns, corruption.occlude_random, 0.25, **only)
    completion = tune(patterns, corruption.occlude_random, 0.25, objective="completion", **only)
    grid = [error_of(patterns, float(beta), cue, rows) for beta in np.geomspace(0.05, 500, 30)]
    by_recall, by_completion = (
        error_of(patterns, tuned.beta, cue, rows) for tuned in (recall, completion)
    )
    assert recall.recalled == 1 and recall.beta > 10 * completion.beta
    assert by_recall > 1.1 * min(grid), "premise: the β of recall is wrong here"
    assert by_completion < 1.02 * min(grid)
    # The stated error is that of new rows, within its own standard error.
    assert abs(completion.error - by_completion) < 3 * completion.error_se


def test_the_first_line_states_the_question():
    patterns = gaussian(40)
    texts = [repr(tune(patterns, corruption.occlude_random, 0.5, objective=objective, cues=64))
             for objective in SEARCHES]  # fmt: skip
    first, second = (text.splitlines()[0] for text in texts)
    assert "recall" in first.lower() and "stored" in first
    assert "completion" in second.lower() and "not stored" in second


@pytest.mark.parametrize("objective", SEARCHES)
def test_records_hold_what_was_measured(objective):
    tuned = tune(gaussian(40), corruption.occlude_random, 0.5, objective=objective, cues=64)
    head, *lines = json.loads(json.dumps(tuned.to_records()))
    assert head["objective"] == tuned.objective == objective
    measured = {"recall": "recalled", "completion": "error"}
    for name, field in measured.items():
        assert (field in head) == (getattr(tuned, field) is not None) == (name == objective)
    assert len(lines) == len(tuned.curve)
    assert ("error" in lines[0]) == (objective == "completion")


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("separation", NAMED)
def test_errors_are_those_of_a_memory_without_the_row(similarity, separation):
    patterns = gaussian(12, 6).double()
    cue = corruption.occlude_random(patterns, 0.4)
    damaged, betas = DamagedPatterns(torch.arange(12), cue), [0.0, 0.3, 2.0, 50.0]
    by_name = {similarity: as_similarity(similarity)}
    search = SEARCHES["completion"](patterns, by_name, {separation: SEPARATIONS[separation]()}, 3)
    squares = search._squares((similarity, separation), betas, damaged)
    for beta, line in zip(betas, squares, strict=True):
        for row, square in enumerate(line):
            memory = ModernHopfield(
                separation=replace(SEPARATIONS[separation](), beta=beta), similarity=similarity
            )
            memory.store(torch.cat([patterns[:row], patterns[row + 1 :]]))
            state = memory.retrieve(cue[row], steps=1).state
            expected = (state - patterns[row])[~cue.known[row]].square().sum()
            torch.testing.assert_close(square, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("first", ["euclidean", "cosine"])
def test_the_similarity_named_first_wins_unless_another_is_better_by_more_than_chance(first):
    patterns, _ = wine()
    names = sorted(["euclidean", "cosine"], key=lambda name: name != first)
    tuned = tune(patterns, corruption.occlude_random, 0.25, objective="completion",
                 similarities=[*names, "dot"])  # fmt: skip
    second = min(point.deficit for point in tuned.curve if point.setting[0] == names[1])
    assert second < 0.05, "premise: two are about as good"
    assert tuned.similarity == first
    worse = tune(patterns, corruption.occlude_random, 0.25, objective="completion",
                 similarities=["dot", "euclidean"])  # fmt: skip
    assert worse.similarity == "euclidean"


def test_without_a_mask_all_entries_count():
    patterns = gaussian(200, 8)
    tuned = tune(patterns, corruption.gaussian_noise, 0.3, objective="completion",
                 similarities=["euclidean"])  # fmt: skip
    same = tune(patterns, lambda x, a, generator: Cue(x), 0.0, objective="completion",
                similarities=["euclidean"])  # fmt: skip
    # Rows without structure: nothing of a new row is known but what its own entries say.
    assert 0 < same.error < tuned.error < 1.1 * tuned.mean_error


def test_the_error_by_the_mean_is_that_of_the_other_rows():
    patterns = gaussian(30, 5)
    known = torch.ones(30, 5, dtype=torch.bool)
    known[:, 2] = False
    damaged = DamagedPatterns(torch.arange(30), Cue(patterns, known))
    search = SEARCHES["completion"](
        patterns, {"dot": as_similarity("dot")}, {"softmax": SEPARATIONS["softmax"]()}, 5
    )
    tuned = search.choose(search.curve(damaged[:10]), damaged[:10], damaged[10:])
    column = patterns[:, 2].double()
    errors = column - (column.sum() - column) / 29
    assert tuned.mean_error == pytest.approx(errors[10:].square().mean().sqrt().item())
    assert tuned.n_held_back == 20


def test_others_are_all_rows_but_one():
    scores, values = torch.randn(4, 6, generator=source(1)), torch.arange(6.0)[:, None] ** 2
    own = torch.tensor([0, 3, 5, 4])
    others = without_own(scores, own)
    for line, left, place in zip(others, scores, own, strict=True):
        expected = torch.cat([left[:place], left[place + 1 :]])
        assert line.sort().values.equal(expected.sort().values)
    weights = torch.softmax(others, -1)
    for line, left, place in zip(average_of_others(weights, own, values), scores, own, strict=True):
        kept = torch.arange(6) != place
        expected = torch.softmax(left[kept], -1) @ values[kept]
        torch.testing.assert_close(line, expected)


def test_two_rows_predict_each_other():
    rows = torch.tensor([[0.0, 1.0], [4.0, 3.0]])

    def loss(predicted, place):
        return (predicted - rows[place]).square().sum(-1)

    scored = [(torch.arange(2), euclidean(rows, rows))]
    losses = left_out_losses(scored, [SEPARATIONS["softmax"](1.0)], rows, loss)
    assert losses.tolist() == [[20.0, 20.0]]


def test_the_range_of_beta_reaches_from_the_mean_to_the_nearest_row():
    rows = gaussian(300, 3).double()
    scores = euclidean(rows, rows)
    low, high = beta_limits([(torch.arange(300), scores)])
    others = without_own(scores, torch.arange(300))
    entropy = SEPARATIONS["softmax"](low)(others).log().neg().mul(
        SEPARATIONS["softmax"](low)(others)).sum(-1)  # fmt: skip
    assert entropy.median() > 0.95 * np.log(299)
    assert SEPARATIONS["softmax"](high)(others).amax(-1).median() > 0.99
    assert beta_limits([(torch.arange(3), torch.zeros(3, 3))]) == (1.0, 1.0)
