"""The documents' claims, each judged by the records of one run.

A judge turns records into a score between 0 and 1, what was measured, and a reason. The verdict is
the score against two thresholds, which the page states. A claim is "not measured" where its
experiment is missing from the records, or where the effect that it explains did not occur.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hopfield.experiments.records import MissingRecordError, Record, find

from . import verdicts
from .verdicts import Finding
from .wording import number, percent

HOLDS, PARTLY, FAILS, UNKNOWN = "holds", "holds partly", "does not hold", "not measured"


@dataclass(frozen=True)
class Claim:
    """A statement of a document, and how records decide it.

    Args:
        source: the document.
        text: the claim, in the document's words as far as a line allows.
        judge: records → Finding.
        score_of: the quantity that the score measures, in words.
        holds: score from which the claim holds.
        partly: score from which it holds partly.
    """

    source: str
    text: str
    judge: Callable[[Sequence[Record]], Finding]
    score_of: str
    holds: float = 0.99
    partly: float = 0.5

    @property
    def criterion(self) -> str:
        """Thresholds of the score, in words."""
        if self.holds == self.partly:
            return f"holds where {self.score_of}"
        return (
            f"{self.score_of}: holds from {percent(self.holds)}, partly from {percent(self.partly)}"
        )


WALK, SCRATCH = "walkthrough", "from scratch"

CLAIMS = (
    Claim(WALK, "Retrieval works perfectly when only a single pattern is stored.",
          partial(verdicts.perfect_with, 1), "images returned, up to sign"),
    Claim(WALK, "When 3 images are stored, retrieval is perfect.",
          partial(verdicts.perfect_with, 3), "images returned, up to sign"),
    Claim(WALK, "With 10 the failures are due to correlated inputs, not to capacity.",
          verdicts.correlation_not_capacity,
          "1 − random patterns lost / images lost, 10 stored", 0.9),
    Claim(WALK, "Flipped reconstructions come from the symmetry of the energy.",
          verdicts.flips_by_symmetry, "negatives that remain when the activation is sign",
          0.5, 0.1),
    Claim(WALK, "Binary images must be [−1, 1]; with [0, 1] everything fails.",
          verdicts.binary_encoding, "what 0/1 loses of what ±1 returns, 1 to 3 stored"),
    Claim(WALK, "The dense network stores 10 patterns without degradation.",
          partial(verdicts.dense_with, 10), "images returned"),
    Claim(WALK, "The dense network makes some mistakes with 100, as patterns are correlated.",
          verdicts.dense_mistakes, "images lost with the hidden half unknown / lost with it as ink",
          0.9, 0.25),
    Claim(WALK, "Plain exponentials of the scores overflow.",
          verdicts.overflow, "cues spoilt at the largest β, minus those the library spoils"),
    Claim(WALK, "The continuous update is much faster than the dense loop.",
          verdicts.speed, "share of the loop's time that is saved", 0.9),
    Claim(WALK, "Continuous images must stay within [0, 1] and not [−1, 1].",
          verdicts.continuous_encoding,
          "the lesser of [0, 1] images found and [−1, 1] images lost, 10 stored", 0.9),
    Claim(WALK, "The continuous network retrieves flawlessly with 10 stored.",
          partial(verdicts.modern_with, 10), "images whose weight is the strongest"),
    Claim(WALK, "With 100 there is 1 mistake and little other degradation.",
          partial(verdicts.modern_with, 100), "images whose weight is the strongest"),
    Claim(WALK, "It converges after a single step.",
          verdicts.one_step, "cues within half a grey level of their end after one step"),
    Claim(WALK, "It is guaranteed to reach a global minimum of the energy.",
          verdicts.global_minimum, "cues that end at the lowest energy found"),
    Claim(WALK, "With low β there are many metastable mixtures of patterns.",
          verdicts.many_mixtures, "values of β up to 1 with more than one mixture on average",
          0.99, 0.01),
    Claim(WALK, "With large β the only attractors are stored patterns.",
          verdicts.only_stored, "stationary points that are stored patterns, at the largest β"),
    Claim(WALK, "The update minimises the energy it states.",
          verdicts.stated_energy, "cues for which the stated energy never rises"),
    Claim(SCRATCH, "Convergence typically takes 2–3 sweeps.",
          verdicts.two_or_three, "cues settled in 2 or 3 sweeps, the confirming one included", 0.9),
    Claim(SCRATCH, "Synchronous updates can oscillate between two states.",
          verdicts.oscillation, "synchronous starts cycle and asynchronous ones never do", 1, 1),
    Claim(SCRATCH, "Asynchronous updates never raise the energy.",
          verdicts.never_rises, "cues for which the energy never rises", 1.0, 0.9),
    Claim(SCRATCH, "The energy drops from roughly −11 to −48.",
          verdicts.energy_drop, "agreement, 1 − relative difference", 0.9, 0.75),
    Claim(SCRATCH, "With β = 1/√d one update is the same as attention.",
          verdicts.attention, "the largest difference is below 8 ε of the largest entry", 1, 1),
)  # fmt: skip


def judge(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Judge every claim by the records, one row per claim."""
    return [_row(claim, records) for claim in CLAIMS]


def _row(claim: Claim, records: Sequence[Record]) -> dict[str, Any]:
    base = {
        "experiment": "claims",
        "source": claim.source,
        "case": claim.text,
        "criterion": claim.criterion,
    }
    try:
        finding = claim.judge(records)
    except MissingRecordError as missing:
        return base | {"verdict": UNKNOWN, "measured": "—", "reason": _missing(missing, records)}
    texts = {"measured": finding.measured, "reason": finding.reason}
    if finding.score is None:
        return base | {"verdict": UNKNOWN, **texts}
    return base | {"verdict": _verdict(claim, finding.score), "score": finding.score, **texts}


def _missing(missing: MissingRecordError, records: Sequence[Record]) -> str:
    needed = missing.fields.get("n", 0)
    try:
        there = find(records, "images")["images"]
    except MissingRecordError:
        there = needed
    if there < needed:
        return f"needs {number(needed)} images; this set has {number(there)}."
    return "its experiment is not among these records."


def _verdict(claim: Claim, score: float) -> str:
    if score >= claim.holds:
        return HOLDS
    return PARTLY if score >= claim.partly else FAILS
