"""Answers of the library to the page: retrievals, their ends in words, and diagnoses."""

import base64
import math
import time
from typing import Any, cast

import torch
from torch import Tensor

from hopfield import (
    Cue,
    DenseHopfield,
    HopfieldError,
    Memory,
    ModernHopfield,
    Retrieval,
    diagnose,
    explain,
    metrics,
    similarity,
)
from hopfield.analysis.case import MIN_OVERLAP
from hopfield.analysis.states import LARGEST_MIXTURE, n_effective
from hopfield.iteration import PATTERN_WEIGHT

from . import digits
from .networks import memory_of
from .questions import CueQuestion, MemoryQuestion
from .recent import Recent
from .served_set import ServedSet

Answer = dict[str, Any]

EXACT = 2**22
"""Number of entries of all patterns up to which they are float64; more are float32."""

MOST_BYTES = 2**26
"""Largest size of the memories that are kept, the one in use excepted."""

SHOWN = 5
"""Number of strongest patterns in an answer."""

RECALL_ERROR = 0.02**0.5
"""Largest ‖y − x‖/‖x‖ at which a continuous pattern counts as recalled."""

MOST_LEARNED = {"storkey": 2**30, "perceptron": 2**30, "pseudo_inverse": 2**36}
"""Largest n·N² of rules that learn pattern by pattern, or decompose a matrix. About 10 s."""

MOST_DIAGNOSED = 2**22
"""Largest n² of a diagnosis, which compares all pairs of patterns."""


class QuestionError(HopfieldError):
    """A question that cannot be answered, with the reason."""


class Library:
    """The library, asked about one set of patterns. Memories used last are kept."""

    def __init__(self, served: ServedSet) -> None:
        self.served = served
        self._memories: Recent[Memory] = Recent(MOST_BYTES)

    def memory(self, question: MemoryQuestion) -> Memory:
        """Return the memory of a question, with its patterns."""
        self._check(question)
        key = question.model_dump_json(include={"network", "count", "pictures"})
        dim, count = self.served.rows.shape[1], question.count + len(question.pictures)
        is_matrix = question.network.kind == "classical"
        size = 8 * dim * (count + dim * is_matrix)
        return self._memories.get(key, size, lambda: self._store(question))

    def retrieve(self, question: CueQuestion) -> Answer:
        """Return states, energies, strongest patterns and the kind of end of a retrieval."""
        start = time.perf_counter()
        memory = self.memory(question)
        cue = self._cue(question, memory)
        clamp = None if cue.known is None else question.clamp
        source = torch.Generator().manual_seed(question.seed)
        result = memory.retrieve(
            cue, clamp=clamp, evidence=question.evidence, steps=question.steps, trace="states",
            generator=source,
        )  # fmt: skip
        states = torch.cat([cast(Tensor, result.states)[:-1], result.state[None]])
        counted = None if memory.binary else cue.known
        weights = _weights(memory, states, counted)
        if question.evidence == "all":
            weights[1:] = _weights(memory, states[1:], None)
        order = weights.abs().topk(min(SHOWN, len(memory))).indices
        rows = memory.patterns[order]
        overlaps = metrics.cosine(rows, states[:, None].expand_as(rows))
        columns = order.tolist(), weights.gather(1, order).tolist(), overlaps.tolist()
        names = ("index", "weight", "overlap")
        strongest = [
            [dict(zip(names, one, strict=True)) for one in zip(*step, strict=True)]
            for step in zip(*columns, strict=True)
        ]
        is_masked = counted is not None and question.evidence == "known"
        return {
            "states": packed(self.served.square.pixels_of(states, -1.0 if memory.binary else 0.0)),
            "energies": _finite(cast(Tensor, result.trace)),
            "fullEnergies": _finite(memory.energy(states)) if is_masked else None,
            "steps": int(result.steps), "converged": bool(result.converged),
            "period": None if result.period is None else int(result.period),
            "beta": _beta(memory), "index": int(result.index), "weight": float(result.weight),
            "strongest": strongest, "patterns": self._described(question, order.unique().tolist()),
            "end": self._end(memory, result, weights[-1], question.source),
            "milliseconds": 1000 * (time.perf_counter() - start),
        }  # fmt: skip

    def explain(self, question: CueQuestion) -> Answer:
        """Return the sentences and the table of `hopfield.explain`."""
        memory = self.memory(question)
        return {"text": str(explain(memory, self._cue(question, memory)))}

    def diagnose(self, question: MemoryQuestion) -> Answer:
        """Return the report of `hopfield.diagnose` as text."""
        count = question.count + len(question.pictures)
        if count**2 > MOST_DIAGNOSED:
            most = math.isqrt(MOST_DIAGNOSED)
            raise QuestionError(f"A diagnosis compares all pairs: store at most {most} patterns.")
        return {"text": str(diagnose(self.memory(question)))}

    def _check(self, question: MemoryQuestion) -> None:
        total, dim = self.served.rows.shape
        size = self.served.square.side**2
        if question.count > total or question.count + len(question.pictures) == 0:
            raise QuestionError(f"count must be 1 to {total}, but is {question.count}.")
        if any(len(levels) != size for levels in question.levels()):
            raise QuestionError(f"added pictures must have {size} pixels.")
        rule = question.network.rule or ""
        most = MOST_LEARNED[rule] // dim**2 if rule in MOST_LEARNED else total
        if question.count > most:
            raise QuestionError(f"The rule {rule} takes long: store at most {most} such patterns.")

    def _store(self, question: MemoryQuestion) -> Memory:
        try:
            memory = memory_of(question.network.settings())
        except (KeyError, TypeError):
            raise QuestionError("network has settings that its kind lacks.") from None
        rows = self.served.rows[: question.count]
        if rows.numel() <= EXACT:
            rows = rows.double()
        rows = torch.cat([rows, self._added_rows(question).to(rows.dtype)])
        memory.store(_signs(rows) if memory.binary else rows)
        return memory

    def _cue(self, question: CueQuestion, memory: Memory) -> Cue:
        size = self.served.square.side**2
        known = question.cue if question.known is None else question.known
        if len(question.cue) != size or len(known) != size:
            raise QuestionError(f"cue and known must have {size} entries.")
        state = self.served.square.rows_of(torch.tensor(question.cue, dtype=memory.storage.dtype))
        if question.known is None:
            return Cue(state)
        return Cue(
            state, self.served.square.rows_of(torch.tensor(question.known, dtype=torch.bool))
        )

    def _added_rows(self, question: MemoryQuestion) -> Tensor:
        pixels = torch.tensor(question.levels(), dtype=torch.float64) / digits.LEVELS
        return self.served.square.rows_of(pixels.reshape(-1, self.served.square.side**2))

    def _described(self, question: MemoryQuestion, indices: list[int]) -> dict[int, Answer]:
        """Return labels and values of patterns of the set; the page knows own pictures."""
        served = self.served
        return {
            i: {
                "label": served.labels[i],
                "values": packed(served.square.pixels_of(served.rows[i])),
            }
            for i in indices
            if i < question.count
        }

    def _end(self, memory: Memory, result: Retrieval, weights: Tensor, source: int) -> Answer:
        kind, index, count = _kind_of(memory, result, weights)
        rows = memory.patterns
        is_right = None
        if 0 <= source < len(rows):
            is_right = _is_recalled(memory, result.state, rows[source])
        errors = int((rows[index] != result.state).sum()) if memory.binary else None
        return {"kind": kind, "index": index, "count": count, "isRight": is_right, "errors": errors}


def _beta(memory: Memory) -> float | None:
    beta = getattr(getattr(memory, "separation", None), "beta", None)
    return None if beta is None else float(beta)


def _signs(rows: Tensor) -> Tensor:
    return torch.where(rows >= 0.5, 1.0, -1.0).to(rows.dtype)


def _weights(memory: Memory, states: Tensor, known: Tensor | None) -> Tensor:
    """Return shares of the weights, or overlaps where a network has no weights, `(states, n)`."""
    rows = memory.patterns
    if not isinstance(memory, (DenseHopfield, ModernHopfield)):
        return similarity.dot(rows, states) / states.shape[-1]
    score = memory.similarity if isinstance(memory, ModernHopfield) else similarity.dot
    weights = memory.separation(score(rows, states, known)).abs()
    return weights / weights.sum(-1, keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)


def _kind_of(memory: Memory, result: Retrieval, weights: Tensor) -> tuple[str, int, int]:
    """Return the kind of end as `explain` names it, its pattern, and a number of patterns."""
    index, rows = int(result.index), memory.patterns
    if result.period is not None and int(result.period) > 1:
        return "cycle", index, int(result.period)
    if not memory.binary:
        copies = int((rows == rows[index]).all(1).sum())
        kind = "stored" if float(result.weight) * copies > PATTERN_WEIGHT else "mixture"
        return kind, index, int(n_effective(weights))
    overlaps = similarity.dot(rows, result.state) / rows.shape[1]
    if float(overlaps[index]) >= MIN_OVERLAP:
        return "stored", index, 1
    if float(overlaps.min()) <= -MIN_OVERLAP:
        return "inverse", int(overlaps.argmin()), 1
    near = overlaps.abs().topk(min(LARGEST_MIXTURE, len(rows))).indices
    mixed = (overlaps[near].sign()[:, None] * rows[near]).cumsum(0).sign()
    sizes = (similarity.dot(mixed, result.state) / rows.shape[1] >= MIN_OVERLAP).tolist()
    return next(
        (("mixture", index, size + 1) for size in range(1, len(sizes)) if sizes[size]),
        ("none", index, 1),
    )


def _is_recalled(memory: Memory, state: Tensor, row: Tensor) -> bool:
    if memory.binary:
        return bool(state.equal(row))
    return bool((state - row).norm() <= RECALL_ERROR * row.norm())


def _finite(values: Tensor) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.tolist()]


def packed(values: Tensor) -> str:
    """Return values as float32 in base64."""
    return base64.b64encode(values.float().contiguous().numpy().tobytes()).decode()
