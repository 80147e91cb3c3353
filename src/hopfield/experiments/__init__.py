"""Experiments: frozen configs in, flat records out.

Building blocks:   recall, capacity, thermal, speed, metastable, census, plane, way
Running them:      Setup (what is tested), sweep, plan, run
"""

from .attractors import MASS, Census, Metastable, Plane, Way, census, metastable, plane, way
from .recall import RESOLUTION, Capacity, Recall, Speed, Thermal, capacity, recall, speed, thermal
from .runner import Task, one_thread, plan, progress, run, sweep
from .setup import Setup, from_data, generator, measured, weights

__all__ = [
    "MASS",
    "RESOLUTION",
    "Capacity",
    "Census",
    "Metastable",
    "Plane",
    "Recall",
    "Setup",
    "Speed",
    "Task",
    "Thermal",
    "Way",
    "capacity",
    "census",
    "from_data",
    "generator",
    "measured",
    "metastable",
    "one_thread",
    "plan",
    "plane",
    "progress",
    "recall",
    "run",
    "speed",
    "sweep",
    "thermal",
    "way",
    "weights",
]
