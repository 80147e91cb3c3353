"""Experiments: frozen configs in, flat records out.

Building blocks:   recall, capacity, thermal, speed, metastable, attractor_census, energy_plane,
                   energy_path
Running them:      Setup (a memory under test), sweep, plan, run; records (files of them)
Writing a block:   draws, generator, Setup.final_states, Setup.measured, pattern_weights,
                   mean_and_sd, means_and_sds, record

Fields that all configs share, where they have them:

    units     N, entries of a pattern
    n         patterns stored
    damage    second argument of the setup's `corrupt`
    draws     independent sets of patterns; means and deviations are over these
    seed      seed of all randomness
"""

from . import records
from .attractors import MASS, AttractorCensus, Metastable, attractor_census, metastable
from .landscape import EnergyPath, EnergyPlane, energy_path, energy_plane, landscape
from .recall import RESOLUTION, Capacity, Recall, Speed, Thermal, capacity, recall, speed, thermal
from .records import Record, mean_and_sd, means_and_sds, record
from .runner import Task, plan, run, show_progress, single_thread, sweep
from .setup import Setup, draws, from_data, generator, pattern_weights

__all__ = [
    "MASS", "RESOLUTION", "AttractorCensus", "Capacity", "EnergyPath", "EnergyPlane", "Metastable",
    "Recall", "Record", "Setup", "Speed", "Task", "Thermal", "attractor_census", "capacity",
    "draws", "energy_path", "energy_plane", "from_data", "generator", "landscape", "mean_and_sd",
    "means_and_sds", "metastable", "pattern_weights", "plan", "recall", "record", "records", "run",
    "show_progress", "single_thread", "speed", "sweep", "thermal",
]  # fmt: skip
