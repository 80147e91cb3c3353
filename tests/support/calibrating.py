"""Damages, networks and calibrated memories for tests of calibrations."""

import torch

import hopfield
from cases import seeded
from hopfield import (
    ClassicalHopfield,
    Cue,
    DenseHopfield,
    ModernHopfield,
    PackedStore,
    Polynomial,
    corruption,
)


def normal(count, dim, seed, dtype=torch.float32):
    return torch.randn(count, dim, generator=seeded(seed), dtype=torch.float64).to(dtype)


def signs(count, dim, seed):
    return torch.where(normal(count, dim, seed) > 0, 1.0, -1.0)


class Recorder:
    """A damage that keeps the patterns it was given, and the cues it made of them."""

    def __init__(self, damage):
        self.damage, self.patterns, self.cues = damage, [], []

    def __call__(self, patterns, generator):
        self.patterns.append(patterns.clone())
        self.cues.append(self.damage(patterns, generator=generator))
        return self.cues[-1]


def noise(patterns, generator):
    return corruption.gaussian_noise(patterns, 0.6, generator=generator)


def hide(patterns, generator):
    return corruption.occlude_random(patterns, 0.6, generator=generator)


def hide_and_noise(patterns, generator):
    cue = hide(patterns, generator)
    return Cue(noise(cue.state, generator).state, cue.known)


def flip(patterns, generator):
    return corruption.flip(patterns, 0.25, generator=generator)


NETWORKS = {
    "euclidean": (lambda: ModernHopfield(40.0, similarity="euclidean"), "euclidean"),
    "dot": (lambda: ModernHopfield(40.0), "dot"),
    "cosine": (lambda: ModernHopfield(40.0, similarity="cosine"), "cosine"),
    "correlation": (lambda: ModernHopfield(40.0, similarity="correlation"), "correlation"),
    "manhattan": (lambda: ModernHopfield(40.0, similarity="manhattan"), "manhattan"),
    "top-k": (lambda: ModernHopfield(separation=hopfield.TopK(2)), "dot"),
    "pseudo-inverse": (lambda: ClassicalHopfield("pseudo_inverse"), "overlap"),
    "exponential": (lambda: DenseHopfield(1.0), "overlap"),
    "cubic": (lambda: DenseHopfield(separation=Polynomial(3)), "overlap"),
    "packed": (lambda: DenseHopfield(1.0, store=PackedStore()), "overlap"),
}
DAMAGES = {"noise": noise, "hidden": hide, "hidden and noise": hide_and_noise, "flipped": flip}


def calibrated(network, damage, count=24, dim=60, alpha=0.2, **options):
    make, kind = NETWORKS[network]
    rows = signs(count, dim, 5) if kind == "overlap" else normal(count, dim, 5)
    memory, recorder = make(), Recorder(DAMAGES[damage])
    memory.store(rows)
    return memory, memory.calibrate(recorder, alpha, **options), recorder, rows
