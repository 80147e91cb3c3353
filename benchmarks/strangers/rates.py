"""Shares of strangers and of stored cues that are accepted: one record per cell and seed."""

import itertools
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hopfield import Cue, ModernHopfield, corruption
from hopfield.errors import DataError
from hopfield.experiments import records

from .cases import NAMES, SETS, Damage, Rows, damages, load, unit_of

SEEDS = 20
ALPHAS = (0.01, 0.05, 0.1)
QUICK = ("digits", "embeddings")
"""Sets of the short form, which has two seeds."""

IDENTITY = ("experiment", "case", "damage", "alpha", "seed")
"""Fields that distinguish records."""

FEW = (19, 49, 99, 199)
"""Numbers of patterns in the experiment on few patterns."""


@dataclass(frozen=True)
class Run:
    """One experiment on one set with one draw."""

    experiment: str
    case: str
    damage: str
    seed: int

    @property
    def identities(self) -> set[tuple[Any, ...]]:
        """Return the identities of its records."""
        return {(self.experiment, self.case, self.damage, a, self.seed) for a in ALPHAS}


def plan(quick: bool) -> Iterator[Run]:
    """Yield all runs, or those of the short form."""
    sets, seeds = (QUICK, 2) if quick else (tuple(SETS), SEEDS)
    for seed, damage, case in itertools.product(range(seeds), NAMES, sets):
        yield Run("rates", case, damage, seed)
    for seed, case, broken in itertools.product(range(seeds), sets[:2], BROKEN):
        if broken == "ties" and case != "digits":
            continue
        yield Run(broken, case, "noise s", seed)


def measure(path: Path, runs: Iterator[Run], seconds: float = math.inf) -> None:
    """Append the records of all runs that the file lacks; stop at a limit of computing time."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        records.write(path, records.header(), [])
    done = {tuple(line[name] for name in IDENTITY) for line in records.read(path)[1]}
    started, missing = time.process_time(), set()
    for run in runs:
        if run.identities <= done or run.case in missing:
            continue
        if time.process_time() - started > seconds:
            print("stopped at the time limit; the same command goes on")
            return
        try:
            lines = list(lines_of(run, load(run.case)))
        except DataError as error:
            print(f"{run.case}: left out: {error}", flush=True)
            missing.add(run.case)
            continue
        with path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(line, allow_nan=False) + "\n" for line in lines)
        print(run.experiment, run.case, run.damage, run.seed, flush=True)


def lines_of(run: Run, rows: Rows) -> Iterator[dict[str, Any]]:
    """Yield the records of one run, one per α."""
    draws = torch.Generator().manual_seed(1000 + run.seed)
    order = torch.randperm(len(rows.patterns), generator=draws)
    stored = rows.patterns[order[: rows.stored]]
    strangers = rows.patterns[order[rows.stored :][: rows.strangers]]
    damage = damages(unit_of(rows))
    measure_one = partial(_alike, {}) if run.experiment == "rates" else BROKEN[run.experiment]
    for alpha in ALPHAS:
        source = torch.Generator().manual_seed(7 + run.seed)
        for extra in measure_one(stored, strangers, damage[run.damage], damage, alpha, source):
            yield {"experiment": run.experiment, "case": run.case, "damage": run.damage,
                   "alpha": alpha, "seed": run.seed, **extra}  # fmt: skip


def memory_of(stored: Tensor) -> ModernHopfield:
    """Return a memory with β so large that almost every cue finds one pattern."""
    beta = 100 / (float(stored.var()) * stored.shape[1] ** 0.5)
    memory = ModernHopfield(beta, similarity="euclidean")
    memory.store(stored)
    return memory


class Answers(NamedTuple):
    """The p-values of strangers and of stored patterns, and which of these are answered rightly."""

    strangers: Tensor
    stored: Tensor
    right: Tensor

    def counts(self, alpha: float) -> dict[str, Any]:
        """Return how many are accepted at α."""
        true = self.stored <= alpha
        return {"strangers": len(self.strangers),
                "accepted_strangers": int((self.strangers <= alpha).sum()),
                "stored": len(true), "accepted_stored": int(true.sum()),
                "right_accepted": int((self.right & true).sum()),
                "right": int(self.right.sum())}  # fmt: skip


def answers_of(memory: ModernHopfield, stored: Tensor, strangers: Tensor, damage: Damage,
               source: torch.Generator) -> Answers:  # fmt: skip
    """Return the answers to damaged strangers and stored patterns."""
    false = memory.retrieve(damage(strangers, source)).p_value
    answer = memory.retrieve(damage(stored, source))
    assert false is not None and answer.p_value is not None
    return Answers(false, answer.p_value, answer.index == torch.arange(len(stored)))


Extras = Iterator[dict[str, Any]]


def _alike(done: dict[str, Answers], stored: Tensor, strangers: Tensor, damage: Damage,
           others: dict[str, Damage], alpha: float,
           source: torch.Generator) -> Extras:  # fmt: skip
    # p-values depend on α by the score alone.
    memory = memory_of(stored)
    calibration = memory.calibrate(
        lambda x, generator: damage(x, generator), alpha, generator=source
    )
    score = calibration.score
    if score not in done:
        done[score] = answers_of(memory, stored, strangers, damage, source)
    yield {"n": len(calibration.strangers), "score": score} | done[score].counts(alpha)


def _other_damage(stored: Tensor, strangers: Tensor, damage: Damage, others: dict[str, Damage],
                  alpha: float, source: torch.Generator) -> Extras:  # fmt: skip
    memory = memory_of(stored)
    memory.calibrate(lambda x, generator: damage(x, generator), alpha, generator=source)
    for name in ("noise s", "noise s/2", "noise 2s", "half hidden"):
        yield {"cue": name} | answers_of(memory, stored, strangers, others[name], source).counts(
            alpha
        )


def _near_duplicates(stored: Tensor, strangers: Tensor, damage: Damage, others: dict[str, Damage],
                     alpha: float, source: torch.Generator) -> Extras:  # fmt: skip
    spread = 0.05 * float(stored.std())
    for share in (0.0, 0.01, 0.05, 0.2):
        count, rows = round(share * len(stored)), stored.clone()
        if count:
            noise = torch.randn(count, stored.shape[1], generator=source)
            rows[-count:] = rows[:count] + spread * noise
        memory = memory_of(rows)
        memory.calibrate(lambda x, generator: damage(x, generator), alpha, generator=source)
        yield {"share": share} | answers_of(memory, rows, strangers, damage, source).counts(alpha)


def _resembling(stored: Tensor, strangers: Tensor, damage: Damage, others: dict[str, Damage],
                alpha: float, source: torch.Generator) -> Extras:  # fmt: skip
    memory = memory_of(stored)
    memory.calibrate(lambda x, generator: damage(x, generator), alpha, generator=source)
    for variation in (0.5, 1.0, 2.0):
        noise = torch.randn(stored.shape, generator=source)
        alike = stored + variation * float(stored.std()) * noise
        yield {"variation": variation} | answers_of(memory, stored, alike, damage, source).counts(
            alpha
        )


def _ties(stored: Tensor, strangers: Tensor, damage: Damage, others: dict[str, Damage],
          alpha: float, source: torch.Generator) -> Extras:  # fmt: skip
    for hidden in (0.9, 0.95):

        def few_entries(x: Tensor, generator: torch.Generator, hidden: float = hidden) -> Cue:
            return corruption.occlude_random(x, hidden, generator=generator)

        memory = memory_of(stored)
        memory.calibrate(few_entries, alpha, generator=source)
        yield {"hidden": hidden} | answers_of(
            memory, stored, strangers, few_entries, source
        ).counts(alpha)


def _few(stored: Tensor, strangers: Tensor, damage: Damage, others: dict[str, Damage],
         alpha: float, source: torch.Generator) -> Extras:  # fmt: skip
    for count in FEW:
        if alpha * (count + 1) < 1:
            continue
        memory, given = memory_of(stored[:count]), stored[-count:]
        for left_out in (True, False):
            memory.calibrate(
                lambda x, generator: damage(x, generator),
                alpha,
                strangers=None if left_out else given,
                generator=source,
            )
            line = {"n": count, "left_out": left_out}
            yield line | answers_of(memory, stored[:count], strangers, damage, source).counts(alpha)


BROKEN = {
    "other damage": _other_damage,
    "near-duplicates": _near_duplicates,
    "resembling": _resembling,
    "few": _few,
    "ties": _ties,
}
"""Experiments that break an assumption, and the one on few patterns."""
