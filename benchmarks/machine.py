"""Versions, and a neutral description of the machine: no name, no path."""

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from hopfield.experiments import records

from . import ceilings

PEERS = ("numba", "faiss-cpu", "scikit-learn")


def header(quick: bool) -> dict[str, Any]:
    """The first line of a file of benchmark records."""
    return records.header(
        processor=_processor(),
        cores=os.cpu_count(),
        memory_gib=round(_memory() / 2**30),
        load=round(os.getloadavg()[0], 1),
        quick=quick,
        **{f"version_{name}": found for name in PEERS if (found := _version(name))},
        **ceilings.rates(),
    )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    """The model's name, and those extensions that matter for products."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor() or platform.machine()
    lines = [line.split(":", 1) for line in path.read_text().splitlines() if ":" in line]
    facts = {name.strip(): value.strip() for name, value in lines}
    flags = facts.get("flags", "").split()
    wide = [
        name
        for flag, name in (("avx2", "AVX2"), ("avx512f", "AVX-512"), ("amx_bf16", "AMX"))
        if flag in flags
    ]
    return ", ".join([facts.get("model name", platform.machine()), *wide])


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
