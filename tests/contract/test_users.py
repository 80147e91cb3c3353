"""Situations of users, re-created: small inputs with answers by hand, by theory or by loops.

Outputs of hflayers are in `tests/nn/test_nn_hflayers.py`, and pages whose code runs twice in one
folder in `tests/house/test_docs.py`.
"""

import re
from itertools import product

import numpy
import pytest
import torch

from draws import signs
from hopfield import (
    ClassicalHopfield,
    DenseHopfield,
    Entmax,
    ModernHopfield,
    Retrieval,
    Softmax,
    Sparsemax,
    TopK,
    corruption,
    data,
    diagnose,
    explain,
    metrics,
    similarity,
    synthetic,
)
from hopfield.errors import CapacityWarning, DomainError, InputTypeError
from hopfield.memories import certified, scan_candidates
from hopfield.rules import RULES

TWO = torch.tensor([[1.0, -1, 1, -1, 1, -1], [-1, 1, -1, 1, -1, 1]])
FOUR = torch.tensor([[1.0, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]])


@pytest.mark.parametrize("rule", RULES)
def test_of_a_pattern_and_its_negative_the_nearer_one_is_found(rule):
    memory = ClassicalHopfield(rule)
    memory.store(TWO)
    cue = torch.tensor([1.0, 1, 1, 1, -1, 1])
    assert (cue @ TWO[0]).item() == -2, "premise: nearer to the negative"
    result = memory.retrieve(cue)
    assert torch.equal(result.state, TWO[1]) and result.index == 1 and result.converged


@pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")
@pytest.mark.parametrize("activity", [0.2, 0.1, 0.05])
def test_the_covariance_rule_keeps_sparse_patterns(activity):
    """Load .01: b = −m(1 − m²) is learned with W; without it, .1 loses 7 of 10 and .05 all."""
    rows = synthetic.sparse(10, 1000, activity)
    memory = ClassicalHopfield("covariance")
    memory.store(rows)
    m = 2 * activity - 1
    torch.testing.assert_close(memory.thresholds, torch.full((1000,), -m * (1 - m**2)))
    assert metrics.exact_recall(rows, memory.retrieve(rows).state).all()
    silent = -torch.ones(1000)
    assert torch.equal(memory.retrieve(silent).state, silent), "all −1 attracts too"
    without = ClassicalHopfield("covariance", thresholds=torch.zeros(1000))
    without.store(rows)
    kept = metrics.exact_recall(rows, without.update(rows)).sum().item()
    assert kept == {0.2: 9, 0.1: 3, 0.05: 0}[activity]


def test_four_orthogonal_patterns_in_four_units_are_fixed():
    """W = I without its diagonal is 0, and a unit whose field is 0 keeps its value."""
    memory = ClassicalHopfield()
    memory.store(FOUR)
    assert torch.equal(memory.coupling, torch.zeros(4, 4))
    for state in product([1.0, -1.0], repeat=4):
        assert torch.equal(memory.update(torch.tensor(state)), torch.tensor(state))


def test_strings_of_bits():
    strings = ["11111111000000000000", "11110000111100001111", "10101010101010101010"]
    bits = torch.tensor([[float(letter) for letter in string] for string in strings])
    memory = ClassicalHopfield()
    with pytest.raises(InputTypeError, match=r"2 \* patterns\.float\(\) - 1"):
        memory.store(bits.int())
    with pytest.raises(DomainError, match=r"2 \* patterns - 1"):
        memory.store(bits)
    memory.store(2 * bits.int().float() - 1)
    cue = 2 * torch.tensor([float(letter) for letter in "11111110000001111111"]) - 1
    overlaps = memory.patterns @ cue / 20
    assert overlaps.argmax() == overlaps.abs().argmax(), "premise"
    result = memory.retrieve(cue)
    assert torch.equal(result.state, memory.patterns[overlaps.argmax()]) and result.weight == 1


def three_pictures():
    base, own = signs(1, 1024, seed=0), signs(3, 1024, seed=1)
    share = torch.rand(3, 1024, generator=torch.Generator().manual_seed(2)) < 0.2
    return torch.where(share, own, base)


def test_similar_pictures_that_are_no_fixed_points_are_warned_of_and_explained():
    pictures = three_pictures()
    x = pictures.numpy()
    fields = x @ (x.T @ x / 1024 - 3 / 1024 * numpy.eye(1024))
    assert not (fields * x >= 0).all(1).any(), "premise: none is a fixed point"
    memory = ClassicalHopfield()
    with pytest.warns(CapacityWarning, match=r"^3 of 3 patterns .*diagnose\(memory\)"):
        memory.store(pictures)
    report = diagnose(memory)
    assert report.counts["fixed"] == 0
    assert "pseudo_inverse" in str(report), "the remedy"
    kept = ClassicalHopfield("pseudo_inverse")
    kept.store(pictures)
    assert diagnose(kept).counts["fixed"] == 3


def test_a_mixture_of_three_and_a_negative_are_stable_and_named():
    memory = ClassicalHopfield()
    patterns = signs(3, 300, seed=3)
    memory.store(patterns)
    mixed = patterns.sum(0).sign()
    assert torch.equal(memory.update(mixed), mixed)
    assert "It ended at a mixture" in " ".join(explain(memory, mixed).reasons)
    assert torch.equal(memory.update(-patterns[1]), -patterns[1])
    assert "the negative of pattern 1" in " ".join(explain(memory, -patterns[1]).reasons)


def test_synchronous_cycles_of_two_are_reported_and_named():
    memory = ClassicalHopfield(schedule="synchronous")
    memory.store(signs(3, 12, seed=1))
    cues = signs(500, 12, seed=2)
    result = memory.retrieve(cues)
    again = memory.update(memory.update(result.state))
    cycles = ~result.converged
    assert 5 < cycles.sum() < 200, "premise"
    assert torch.equal(again[cycles], result.state[cycles])
    assert (memory.update(result.state) != result.state).any(1)[cycles].all()
    reasons = " ".join(explain(memory, cues[cycles][0]).reasons)
    assert "two states alternate" in reasons and "asynchronous" in reasons


def test_a_score_by_hand():
    weights, state = torch.tensor([[2.0, -1.0, 3.0]]), torch.tensor([1.0, -1.0, 1.0])
    assert similarity.dot(weights, state).tolist() == [6.0]


def test_digits_from_0_to_255_at_beta_1():
    digits = data.load("digits")
    first = [int((digits.labels == label).nonzero()[0]) for label in range(5)]
    pictures = (digits.patterns[first] * 255).round()
    for name in ("euclidean", "dot"):
        memory = ModernHopfield(beta=1.0, similarity=name)
        with pytest.raises(InputTypeError, match=r"Use patterns / 255"):
            memory.store(pictures.to(torch.uint8))
        with pytest.raises(ValueError, match=r"patterns\.flatten\(1\)"):
            memory.store(pictures.view(5, 8, 8))
        memory.store(pictures.view(5, 8, 8).flatten(1))
        assert torch.equal(memory.retrieve(pictures).state, pictures)
    halves = corruption.occlude_half(pictures, digits.shape)
    memory = ModernHopfield(beta=1.0, similarity="euclidean")
    memory.store(pictures)
    assert torch.equal(memory.retrieve(halves).state, pictures)


def of_weights(weights):
    """A result of these largest weights, the rest spread evenly over 99 patterns."""
    rest = torch.as_tensor(weights).new_tensor([(1 - w) / 99 for w in weights])
    largest = torch.tensor(weights)
    entropy = -torch.xlogy(largest, largest) - 99 * torch.xlogy(rest, rest)
    zeros = torch.zeros(len(weights))
    return Retrieval(
        zeros[:, None], zeros.long(), zeros == 0, zeros, zeros.long(), largest, entropy
    )


def test_a_printed_answer_counts_its_mixtures():
    """Weight at most 0.51 is a mixture; of exp(entropy) patterns, the median over the mixtures."""
    assert repr(of_weights([1.0, 0.6, 0.01, 0.01])).endswith(", 2 mixtures of about 100 patterns)")
    assert "mixtures" not in repr(of_weights([1.0, 0.52]))
    assert "1 mixture of about 100 patterns" in repr(of_weights([0.01]))
    digits = data.load("digits")
    cues = corruption.occlude_half(digits.patterns, digits.shape)
    memory = ModernHopfield(beta=1.0)  # far too small here, and dot products
    memory.store(digits.patterns, values=digits.labels)
    result = memory.retrieve(cues)
    assert not metrics.recalled(digits.patterns, result.state).any(), "premise"
    assert re.search(r"1797 converged.*, 1797 mixtures of about 1\d\d\d patterns\)$", repr(result))
    memory = ModernHopfield(beta=512.0, similarity="euclidean")
    memory.store(digits.patterns)
    assert "mixture" not in repr(memory.retrieve(cues)), "the README's example"
    for binary in (ClassicalHopfield(), DenseHopfield()):
        binary.store(FOUR)
        assert "mixture" not in repr(binary.retrieve(FOUR))


def test_float_values_of_new_rows_are_read_at_the_cue():
    """A small β smooths as a regression does; the fixed point then is the mean of many rows."""
    digits = data.load("digits")
    memory = ModernHopfield(0.83, similarity="euclidean")
    labels = torch.nn.functional.one_hot(digits.labels).float()
    memory.store(digits.patterns[:1400], labels[:1400])
    new, right = digits.patterns[1400:], digits.labels[1400:]
    at_cue = memory.retrieve(new)
    at_state = memory.retrieve(new, values_at="state")
    assert torch.equal(at_cue.state, at_state.state), "only the values differ"
    assert (at_state.value.argmax(-1) == right).double().mean() < 0.2, "premise"
    assert (at_cue.value.argmax(-1) == right).double().mean() > 0.85
    weights = memory.separation(similarity.euclidean(digits.patterns[:1400], new))
    torch.testing.assert_close(at_cue.value, weights @ labels[:1400], rtol=1e-4, atol=1e-5)


NAN = float("nan")
SHARES = [
    [2019, 3.2, 0.04],
    [2020, 9.6, 0.09],
    [2021, 5.4, 0.05],
    [2022, 3.1, 0.03],
    [2023, 3, 0.02],
]
HOMES = [[125000, 5, 0.07], [48000, 3, 0.03], [81000, 4, 0.05]]
SHARP = {
    "softmax": {"beta": 50.0},
    "sparsemax": {"separation": Sparsemax(50.0)},
    "entmax": {"separation": Entmax(1.5, 50.0)},
    "topk": {"separation": TopK(2, 50.0)},
    "certified": {"beta": 50.0, "precision": "certified"},
}
every_separation = pytest.mark.parametrize("options", SHARP.values(), ids=SHARP)


@every_separation
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("table", "cue", "row"),
    [(SHARES, [2020, 9.5, NAN], 1), (HOMES, [125000, NAN, NAN], 0)],
    ids=["share", "rooms and rate"],
)
def test_an_unknown_entry_of_small_size_is_filled(table, cue, row, dtype, options):
    """A gap of 0.09 beside 2020 is far below the tolerance, and is no state that has settled."""
    rows, q = torch.tensor(table, dtype=dtype), torch.tensor(cue, dtype=dtype)
    memory = ModernHopfield(similarity="euclidean", **options)
    memory.store(rows)
    for clamp, expected in ((True, torch.where(q.isnan(), rows[row], q)), (False, rows[row])):
        result = memory.retrieve(q, known=~q.isnan(), clamp=clamp)
        torch.testing.assert_close(result.state, expected, rtol=1e-6, atol=0)
        assert result.index == row and result.converged and result.steps >= 1
        torch.testing.assert_close(result.weight, torch.ones_like(result.weight))
    lenient = memory.retrieve(q, known=~q.isnan(), tol=1e9)
    torch.testing.assert_close(lenient.state, torch.where(q.isnan(), rows[row], q))


@every_separation
def test_a_cue_of_which_nothing_is_known_gives_the_mean_of_all(options):
    rows = torch.randn(7, 4, generator=torch.Generator().manual_seed(0))
    memory = ModernHopfield(similarity="euclidean", **options)
    memory.store(rows)
    result = memory.retrieve(torch.full((4,), NAN), known=torch.zeros(4, dtype=torch.bool))
    torch.testing.assert_close(result.state, rows.mean(0))
    torch.testing.assert_close(result.weight, torch.tensor(1 / 7))
    torch.testing.assert_close(result.entropy, torch.tensor(7.0).log())


def test_points_between_two_corners_end_in_the_middle():
    corners, line = torch.tensor([[1.0, -1], [-1, 1]]), torch.arange(-5.0, 6) / 5
    memory = ModernHopfield(beta=50.0)
    memory.store(corners)
    points = torch.cartesian_prod(line, line)
    result, undecided = memory.retrieve(points), points[:, 0] == points[:, 1]
    assert undecided.sum() == 11
    torch.testing.assert_close(result.state[undecided], torch.zeros(11, 2))
    torch.testing.assert_close(result.entropy[undecided], torch.full((11,), 0.6931472))
    torch.testing.assert_close(result.weight[undecided], torch.full((11,), 0.5))
    nearer = corners[(points[:, 0] < points[:, 1])[~undecided].long()]
    torch.testing.assert_close(result.state[~undecided], nearer)
    assert "scored alike" in " ".join(explain(memory, torch.tensor([0.4, 0.4])).reasons)


def table_with_gaps(n, missing):
    """Rows on a curved surface, in 8 standardised columns, and a mask of the known entries."""
    random = torch.Generator().manual_seed(4)
    rows = (torch.randn(n, 2, generator=random) @ torch.randn(2, 8, generator=random)).tanh()
    rows += 0.2 * torch.randn(n, 8, generator=random)
    known = torch.rand(n, 8, generator=random) >= missing
    return (rows - rows.mean(0)) / rows.std(0), known


def test_gaps_of_a_table_are_filled_by_a_regression_on_the_complete_rows():
    rows, known = table_with_gaps(2000, missing=0.25)
    known[:1500] = True
    donors, asking, mask = rows[:1500], rows[1500:], known[1500:]
    memory = ModernHopfield(beta=8.0, similarity="euclidean")
    memory.store(donors)
    filled = memory.retrieve(asking.where(mask, NAN), known=mask).state
    x, q, m = donors.double().numpy(), asking.double().numpy(), mask.double().numpy()
    distances = m @ (x**2).T - 2 * (m * q) @ x.T + (m * q**2).sum(1, keepdims=True)
    weights = numpy.exp(-8 / 2 * distances + 4 * distances.min(1, keepdims=True))
    regression = torch.from_numpy(weights @ x / weights.sum(1, keepdims=True)).float()
    torch.testing.assert_close(filled, torch.where(mask, asking, regression), rtol=0, atol=1e-4)
    error = (filled - asking)[~mask].square().mean().sqrt()
    constant = (donors.mean(0) - asking)[~mask].square().mean().sqrt()
    assert 0.2 < error < 0.7 * constant, "above the noise, and below the error of the means"
    low, high = donors.amin(0), donors.amax(0)
    assert ((filled >= low - 1e-5) & (filled <= high + 1e-5))[~mask].all()


def test_a_row_does_not_depend_on_the_rows_asked_with_it():
    rows, known = table_with_gaps(500, missing=0.25)
    memory = ModernHopfield(beta=8.0, similarity="euclidean")
    memory.store(rows)
    together = memory.retrieve(rows, known=known)
    order = torch.randperm(500, generator=torch.Generator().manual_seed(5))
    for part in order.split(130):
        apart = memory.retrieve(rows[part], known=known[part])
        torch.testing.assert_close(apart.state, together.state[part], rtol=0, atol=1e-4)
        assert torch.equal(apart.steps, together.steps[part])


def test_a_vector_is_replaced_under_its_label():
    vectors = torch.nn.functional.normalize(
        torch.randn(31, 24, generator=torch.Generator().manual_seed(6)), dim=-1
    )
    memory, labels, new = ModernHopfield(beta=100.0), torch.arange(100, 130), vectors[30]
    memory.store(vectors[:30], values=labels)
    assert memory.retrieve(new).value != 105, "premise"
    memory.remove((labels == 105).nonzero().flatten())
    memory.store(new[None], values=torch.tensor([105]))
    result = memory.retrieve(new)
    assert result.value == 105 and result.weight > 0.99 and len(memory) == 30
    others = labels[labels != 105]
    assert torch.equal(memory.retrieve(vectors[:30][labels != 105]).value, others)
    assert memory.retrieve(vectors[5]).value != 105, "the old vector is gone"


def test_a_hub_under_the_dot_product_is_named_with_its_remedy():
    vectors = torch.rand(20, 16, generator=torch.Generator().manual_seed(7))
    vectors[11] *= 10
    memory = ModernHopfield(beta=60.0)
    memory.store(vectors)
    report = diagnose(memory)
    assert (memory.retrieve(vectors).index == 11).all(), "premise"
    assert report.captured_by.tolist() == [-1 if row == 11 else 11 for row in range(20)]
    assert "similarity='euclidean'. Measured with all 20 patterns: 20 are attractors" in str(report)
    for name in ("cosine", "euclidean"):
        better = ModernHopfield(beta=2000.0, similarity=name)
        better.store(vectors)
        assert torch.equal(better.retrieve(vectors).index, torch.arange(20)), name


def test_a_certified_memory_makes_no_scan_where_a_full_readout_is_faster(monkeypatch):
    rows = torch.randn(400, 12, generator=torch.Generator().manual_seed(8))
    answers, scans, find = [], [], certified.candidates
    monkeypatch.setattr(certified, "candidates", lambda *of: scans.append(1) or find(*of))
    for pays, precision in ((True, "certified"), (False, "certified"), (False, "full")):
        monkeypatch.setattr(scan_candidates, "scan_pays", lambda pays=pays: pays)
        memory = ModernHopfield(separation=Softmax(8.0), precision=precision)
        memory.store(rows)
        answers.append((memory.retrieve(rows[:9] + 0.1), len(scans)))
    (scanned, count), (unscanned, count_after), (full, _) = answers
    assert 0 < count == count_after, "only the first memory scans"
    assert torch.equal(unscanned.state, full.state) and torch.equal(unscanned.index, full.index)
    torch.testing.assert_close(scanned.state, full.state)
    assert (unscanned.bound.state > 0).all() and unscanned.bound.state.isfinite().all()


def test_pictures_of_200_by_200_pixels_are_recalled():
    pictures = signs(5, 200 * 200, seed=31)
    memory = ClassicalHopfield()
    memory.store(pictures)
    result = memory.retrieve(corruption.flip(pictures, 0.2))
    assert torch.equal(result.state, pictures)
    assert result.index.tolist() == list(range(5))


def test_the_five_best_with_their_scores_and_weights():
    """What took `similarity.dot(memory.patterns, q).topk(k)`, all scores at once, is one call."""
    patterns, cues = signs(300, 64, seed=1), signs(4, 64, seed=2) * 0.3
    memory = ModernHopfield(0.5, similarity="dot")
    memory.store(patterns, names=[f"vector {row}" for row in range(300)])
    found = memory.nearest(cues, 5)
    by_hand = similarity.dot(memory.patterns, cues).sort(descending=True, stable=True)
    assert torch.equal(found.index, by_hand.indices[:, :5])
    torch.testing.assert_close(found.score, by_hand.values[:, :5])
    weights = torch.softmax(0.5 * by_hand.values, -1)[:, :5]
    torch.testing.assert_close(found.weight, weights)
    assert found.name[0, 0] == f"vector {found.index[0, 0]}"
