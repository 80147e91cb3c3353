"""Time and memory of the advice on a memory of images."""

from functools import partial

import torch

from hopfield import ModernHopfield, corruption, data, diagnose, tune

from ..harness import Case, Contender, Entry, Target

BETA = 32.0


def advice(n: int) -> Case:
    """`diagnose` of a memory, and `tune` for its patterns with half of the pixels hidden."""
    images = data.load("mnist", split="test") if n > 300 else data.load("digits")
    patterns = images.patterns[:n]
    memory = ModernHopfield(BETA, similarity="euclidean")
    memory.store(patterns)
    ours = partial(Contender, answer=None, library=True)
    return Case(
        {
            "diagnose": ours(lambda: diagnose(memory)),
            "tune": ours(lambda: tune(patterns, corruption.occlude_random, 0.5)),
        },
        lambda: torch.zeros(0),
    )


ENTRIES = (
    Entry(
        "advice",
        "`diagnose` and `tune` of 1000 MNIST images of 784 pixels",
        advice,
        ({"n": 1000},),
        {"n": 30},
        (
            Target("diagnose", 10.0, "at most 10 s", field="seconds"),
            Target("diagnose", 64.0, "at most 64 MiB", field="extra_mib"),
        ),
    ),
)
