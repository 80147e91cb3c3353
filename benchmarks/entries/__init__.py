"""The workloads, by name; each file holds a few that belong together."""

from ..harness import Entry
from . import binary, certified, layers, modern, peers, rules, startup, sweeps

ENTRIES: dict[str, Entry] = {
    entry.name: entry
    for group in (binary, modern, certified, rules, sweeps, startup, peers, layers)
    for entry in group.ENTRIES
}
