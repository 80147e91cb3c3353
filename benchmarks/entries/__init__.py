"""The workloads, by name; each file holds a few that belong together."""

from ..harness import Entry
from . import analysis, binary, certified, layers, modern, peers, rules, startup, sweeps

ENTRIES: dict[str, Entry] = {
    entry.name: entry
    for group in (binary, modern, certified, rules, sweeps, startup, peers, layers, analysis)
    for entry in group.ENTRIES
}
