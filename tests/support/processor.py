"""Print the processor that the tests run on, and what torch and numba make of it."""

import os
import platform
from pathlib import Path

import torch

INSTRUCTIONS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "asimd", "sve")


def described() -> str:
    """Name and vector instructions of the processor, and how torch computes on it."""
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else ""
    fields = dict(
        (part.strip() for part in line.split(":", 1)) for line in text.split("\n") if ":" in line
    )
    name = fields.get("model name") or platform.processor() or platform.machine()
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    has = " ".join(flag for flag in INSTRUCTIONS if flag in flags) or "none known"
    return (
        f"Processor: {name} ({os.cpu_count()} cores; {has}). "
        f"torch {torch.__version__} computes by {torch.backends.cpu.get_cpu_capability()} "
        f"on {torch.get_num_threads()} threads; numba for "
        f"{os.environ.get('NUMBA_CPU_NAME', 'this processor')}."
    )


if __name__ == "__main__":
    print(described(), flush=True)
