"""Experiments: frozen configs in, flat records out.

Building blocks:   recall, capacity, thermal, speed, metastable, census, plane, way
Running them:      Setup (what is tested), sweep, plan, run
"""

from .attractors import Census, Metastable, Plane, Way, census, metastable, plane, way
from .recall import Capacity, Recall, Speed, Thermal, capacity, recall, speed, thermal
from .runner import Task, plan, run, sweep
from .setup import Setup, from_data

__all__ = [
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
    "metastable",
    "plan",
    "plane",
    "recall",
    "run",
    "speed",
    "sweep",
    "thermal",
    "way",
]
