"""The workloads, by name; each file holds a few that belong together."""

from ..harness import Entry
from . import (
    analysis,
    binary,
    certified,
    disk,
    dynamics,
    layers,
    lookups,
    modern,
    nearest,
    peers,
    rules,
    startup,
    sweeps,
)

ENTRIES: dict[str, Entry] = {
    entry.name: entry
    for group in (
        binary,
        modern,
        certified,
        disk,
        rules,
        sweeps,
        dynamics,
        startup,
        peers,
        nearest,
        layers,
        lookups,
        analysis,
    )
    for entry in group.ENTRIES
}
