"""Memories and configs by which experiments are tested."""

from types import SimpleNamespace

import hopfield
from hopfield.experiments import (
    AttractorCensus,
    Capacity,
    EnergyPath,
    EnergyPlane,
    Recall,
    Setup,
    Speed,
    attractor_census,
    capacity,
    energy_path,
    energy_plane,
    recall,
    speed,
)

HEBB = Setup("Hebb", hopfield.ClassicalHopfield)
SMALL = [
    (recall, Recall(60, 10, draws=2)), (capacity, Capacity(60, draws=1, max_n=20)),
    (attractor_census, AttractorCensus(60, 4, starts=20, draws=2)),
    (energy_path, EnergyPath(60)), (speed, Speed(60, repeats=1)),
    (energy_plane, EnergyPlane(60, grid=5, starts=3, steps=2)),
]  # fmt: skip


class Nearest:
    """A user's memory: returns the stored pattern with the largest score."""

    def store(self, patterns):
        self.rows = patterns

    def retrieve(self, cue):
        return SimpleNamespace(state=self.update(cue.state if hasattr(cue, "state") else cue))

    def energy(self, state):
        return -(state @ self.rows.T).amax(-1)

    def update(self, state):
        return self.rows[(state @ self.rows.T).argmax(-1)]
