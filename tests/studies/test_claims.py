"""Verdicts follow the records: change a record and the verdict changes."""

import copy

import pytest

import quick_demo
from hopfield.experiments.records import select
from hopfield_studies import claims

ONE = "Retrieval works perfectly when only a single pattern is stored."


def _row(lines, text):
    return next(row for row in claims.judge(lines) if row["case"] == text)


def _changed(experiment, fields, **values):
    """The records of the quick run with `values` in those of `experiment` that match."""
    lines = copy.deepcopy(list(quick_demo.lines()))
    chosen = select(lines, experiment, **fields)
    assert chosen, "premise: there are records to change"
    for line in chosen:
        assert set(values) <= set(line), "premise: the fields exist"
        line.update(values)
    return lines


# (claim, experiment, fields, values under which it holds, under which it does not)
DECIDED = [
    (ONE, "classical", {"case": "document", "n": 1}, {"exact_blind": 1.0}, {"exact_blind": 0.4}),
    ("The dense network stores 10 patterns without degradation.", "dense",
     {"case": "ink", "n": 10}, {"exact": 1.0}, {"exact": 0.1}),
    ("Flipped reconstructions come from the symmetry of the energy.", "flips", {},
     {"document": 0.5, "sign": 0.5}, {"document": 1.0, "sign": 0.0}),
    ("Plain exponentials of the scores overflow.", "overflow", {},
     {"dense_plain": 1.0, "dense_library": 0.0}, {"dense_plain": 0.0, "modern_plain": 0.0}),
    ("Continuous images must stay within [0, 1] and not [−1, 1].", "encodings",
     {"case": "[−1, 1], hidden 0", "n": 10}, None, {"right": 1.0}),
    ("The continuous network retrieves flawlessly with 10 stored.", "modern",
     {"case": "document", "n": 10}, {"right": 1.0}, {"right": 0.2}),
    ("It converges after a single step.", "steps", {"similarity": "dot"},
     {"one_is_enough": 1.0}, {"one_is_enough": 0.1}),
    ("It is guaranteed to reach a global minimum of the energy.", "stationary",
     {"similarity": "dot", "beta": 8.0}, {"lowest_share": 1.0}, {"lowest_share": 0.1}),
    ("With low β there are many metastable mixtures of patterns.", "stationary",
     {"similarity": "dot"}, {"mixtures": 5.0}, {"mixtures": 1.0}),
    ("With large β the only attractors are stored patterns.", "stationary",
     {"similarity": "dot"}, {"stored_share": 1.0}, {"stored_share": 0.3}),
    ("The update minimises the energy it states.", "energies", {},
     {"document_rises": 0.0}, {"document_rises": 0.9}),
    ("Convergence typically takes 2–3 sweeps.", "load", {"n": 5},
     {"two_or_three": 1.0}, {"two_or_three": 0.2}),
    ("Synchronous updates can oscillate between two states.", "oscillation",
     {"case": "synchronous"}, {"cycling": 0.1}, {"cycling": 0.0}),
    ("Asynchronous updates never raise the energy.", "descent", {},
     {"rising": 0.0}, {"rising": 0.5}),
    ("The energy drops from roughly −11 to −48.", "descent", {},
     {"start": -11.0, "end": -48.0}, {"start": -1.0, "end": -48.0}),
    ("With β = 1/√d one update is the same as attention.", "attention", {},
     {"difference": 0.0}, {"difference": 1e-3}),
    ("The continuous update is much faster than the dense loop.", "speed", {},
     {"loop_ms": 100.0, "modern_ms": 1.0}, {"loop_ms": 1.0, "modern_ms": 1.0}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "experiment", "fields", "good", "bad"), DECIDED)
def test_a_verdict_follows_its_records(text, experiment, fields, good, bad):
    if good is not None:
        row = _row(_changed(experiment, fields, **good), text)
        assert row["verdict"] == claims.HOLDS, row
    row = _row(_changed(experiment, fields, **bad), text)
    assert row["verdict"] == claims.FAILS, row


def test_between_the_thresholds_a_claim_holds_partly():
    lines = _changed("classical", {"case": "document", "n": 1}, exact_blind=0.7)
    assert _row(lines, ONE)["verdict"] == claims.PARTLY


@pytest.mark.parametrize("text", [claim.text for claim in claims.CLAIMS])
def test_a_claim_without_records_is_not_measured(text):
    row = _row([], text)
    assert row["verdict"] == claims.UNKNOWN
    assert row["reason"] == "its experiment is not among these records."


def test_a_claim_that_needs_more_images_says_how_many():
    lines = [line for line in _changed("images", {}, images=60) if line.get("n") != 100]
    row = _row(lines, "With 100 there is 1 mistake and little other degradation.")
    assert row["verdict"] == claims.UNKNOWN
    assert row["reason"] == "needs 100 images; this set has 60."


# (claim, experiment, fields, values under which what it explains did not happen)
NOTHING = [
    ("With 10 the failures are due to correlated inputs, not to capacity.", "classical",
     {"n": 10}, {"exact_blind": 1.0}),
    ("Flipped reconstructions come from the symmetry of the energy.", "flips", {},
     {"document": 0.0}),
    ("Binary images must be [−1, 1]; with [0, 1] everything fails.", "encodings",
     {"case": "±1"}, {"right": 0.0}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "experiment", "fields", "values"), NOTHING)
def test_what_did_not_happen_is_not_explained(text, experiment, fields, values):
    row = _row(_changed(experiment, fields, **values), text)
    assert row["verdict"] == claims.UNKNOWN and "score" not in row
    assert "nothing" in row["reason"] and row["measured"] != "—"


# (claim, experiment, fields, values, words of the reason)
SAID = [
    ("The dense network makes some mistakes with 100, as patterns are correlated.", "dense",
     {"n": 100}, {"exact": 0.5}, "no fewer mistakes without the ink"),
    ("The dense network makes some mistakes with 100, as patterns are correlated.", "dense",
     {"n": 100}, {"exact": 1.0}, "there are no mistakes;"),
    ("It is guaranteed to reach a global minimum of the energy.", "stationary",
     {"similarity": "dot"}, {"distinct": 4.0}, "with 4 ends"),
    ("With low β there are many metastable mixtures of patterns.", "stationary",
     {"similarity": "dot"}, {"distinct": 4.0}, "there are 4 different ends"),
    ("With large β the only attractors are stored patterns.", "stationary",
     {"similarity": "dot"}, {"stored_kept": 1.0, "stored_kept_sd": 0.0},
     "stay where they are: 100 %"),
    ("With 10 the failures are due to correlated inputs, not to capacity.", "classical",
     {"n": 10, "case": "library"}, {"exact_blind": 1.0}, "only the document's rule fails"),
    ("Binary images must be [−1, 1]; with [0, 1] everything fails.", "encodings",
     {"case": "0/1"}, {"right": 1.0}, "times what ±1 does"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "experiment", "fields", "values", "words"), SAID)
def test_a_reason_follows_its_records(text, experiment, fields, values, words):
    row = _row(_changed(experiment, fields, **values), text)
    assert words in row["reason"].replace("\u00a0", " ")


def test_the_share_of_mistakes_is_one_of_mistakes():
    text = "The dense network makes some mistakes with 100, as patterns are correlated."
    lines = _changed("dense", {"n": 100, "case": "ink"}, exact=0.2)
    select(lines, "dense", n=100, case="unknown")[0]["exact"] = 0.8
    reason = _row(lines, text)["reason"].replace("\u00a0", " ")
    assert reason.startswith("75 % of the mistakes are gone without the ink")


def test_every_claim_states_its_thresholds():
    for claim in claims.CLAIMS:
        assert 0 < claim.partly <= claim.holds <= 1
        assert claim.score_of in claim.criterion and "holds" in claim.criterion


def test_measured_figures_are_those_of_the_records():
    lines = _changed("classical", {"case": "document", "n": 1}, exact_blind=0.777)
    assert "77.7" in _row(lines, ONE)["measured"]
