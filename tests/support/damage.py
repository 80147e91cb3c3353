"""Damaged and altered files of memories, one per seed."""

import copy
import json
import random
import struct
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save as to_bytes

from hopfield.memories.describing import _sums

ODD = (
    *(None, True, -1, 0, 1, 2.5, 10**30, float("inf"), float("nan"), "", "abc", "float64", "nn"),
    *([], [1], {}, {"tensor": "patterns"}, {"tensor": []}, {"separation": "Softmax"}),
    {"separation": "Softmax", "arguments": {"beta": "x"}},
)
"""Values that take the place of another in the description of a memory."""
NAMES = (
    "values",
    "rows.names",
    "rows.prior",
    "thresholds",
    "rule",
    "separation",
    "similarity",
    "pattern",
    "",
    "0",
    "memory",
)
"""Names that a tensor gets instead of its own."""


def flip_bits(content: bytes, draw: random.Random) -> bytes:
    """Flip one to eight bits, half of the time in the header."""
    wrong = bytearray(content)
    end = 8 + struct.unpack("<Q", content[:8])[0] if draw.random() < 0.5 else len(content)
    for _ in range(draw.choice((1, 1, 2, 8))):
        wrong[draw.randrange(end)] ^= 1 << draw.randrange(8)
    return bytes(wrong)


def cut(content: bytes, draw: random.Random) -> bytes:
    """Cut off the end, or cut out or zero a piece."""
    start, stop = sorted(draw.randrange(len(content)) for _ in range(2))
    zeros = b"\0" * (stop - start)
    return draw.choice((content[:start], content[:start] + content[stop:],
                        content[:start] + zeros + content[stop:]))  # fmt: skip


def altered(path: Path, change: Any) -> bytes:
    """Return a file with a changed description and tensors, and the checksums of those."""
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
        metadata = dict(file.metadata())
    described = json.loads(metadata["memory"])
    described, tensors = change(described, tensors)
    text = json.dumps(described)
    sums = json.dumps(_sums(text, tensors))
    return to_bytes(tensors, {**metadata, "memory": text, "crc32": sums})


def rename(path: Path, draw: random.Random) -> bytes:
    """Give one tensor another name, consistently."""

    def change(described, tensors):
        old, new = draw.choice(sorted(tensors)), draw.choice(NAMES)
        return described, {new if name == old else name: tensors[name] for name in tensors}

    return altered(path, change)


def describe_otherwise(path: Path, draw: random.Random) -> bytes:
    """Change, remove or add one entry of the description, consistently."""

    def change(described, tensors):
        described = copy.deepcopy(described)
        places = list(_places(described))
        owner, key = draw.choice(places)
        what = draw.randrange(4)
        if what == 0 and isinstance(owner, dict):
            del owner[key]
        elif what == 1 and isinstance(owner, dict):
            owner[draw.choice(NAMES)] = owner.pop(key)
        else:
            owner[key] = draw.choice(ODD)
        return described, tensors

    return altered(path, change)


def change_tensor(path: Path, draw: random.Random) -> bytes:
    """Give one tensor another shape, dtype or odd numbers, consistently."""

    def change(described, tensors):
        name = draw.choice(sorted(tensors))
        old = tensors[name]
        others = [
            old[:0], old[:, None] if old.ndim == 1 else old[..., :-1].contiguous(), old.flatten(),
            old.flatten()[0].clone(), old[:-1], old.double(), old.to(torch.int8), old.bool(),
            old.to(torch.uint16), old.to(torch.float8_e4m3fn), old.to(torch.complex64),
            torch.full_like(old.double(), float("nan")), torch.zeros_like(old),
        ]  # fmt: skip
        return described, {**tensors, name: draw.choice(others)}

    return altered(path, change)


def _places(node: Any):
    keys = node.keys() if isinstance(node, dict) else range(len(node))
    for key in list(keys):
        yield node, key
        if isinstance(node[key], dict | list):
            yield from _places(node[key])
