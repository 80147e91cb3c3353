"""Describe versions and processor, without host name or path; limit the instruction set."""

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from hopfield.experiments import records

from . import ceilings

PEERS = ("numba", "faiss-cpu", "scikit-learn")
LIMITS = {
    "avx2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
        "FAISS_SIMD_LEVEL": "AVX2",
        "NUMBA_CPU_NAME": "haswell",
        # Without this numba takes the features of the host beside the name of another model.
        "NUMBA_CPU_FEATURES": "+avx,+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt,+popcnt,+sse4.2",
    }
}
"""Environment of a process that uses no instructions beyond a set, by its name."""


def limit() -> str:
    """Name the limit this process runs under: a key of LIMITS, or "native"."""
    for name, variables in LIMITS.items():
        if all(os.environ.get(key) == value for key, value in variables.items()):
            return name
    return "native"


def header(quick: bool) -> dict[str, Any]:
    """Return the first line of a file of benchmark records."""
    return records.header(
        processor=_processor(),
        instructions=torch.backends.cpu.get_cpu_capability(),
        limit=limit(),
        cores=os.cpu_count(),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        load=round(os.getloadavg()[0], 1),
        quick=quick,
        **{f"version_{name}": version for name in PEERS if (version := _version(name))},
        **({} if quick else ceilings.rates()),
    )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    """Return the model's name with the extensions that matter for matrix products."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor() or platform.machine()
    lines = [line.split(":", 1) for line in path.read_text().splitlines() if ":" in line]
    facts = {name.strip(): value.strip() for name, value in lines}
    flags = facts.get("flags", "").split()
    extensions = {"avx2": "AVX2", "avx512f": "AVX-512", "amx_bf16": "AMX"}
    present = [name for flag, name in extensions.items() if flag in flags]
    return ", ".join([facts.get("model name", platform.machine()), *present])
