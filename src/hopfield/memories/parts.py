"""Files of tensors, written part by part: no more than a part of a tensor is in memory at once.

The safetensors library takes whole tensors. Its files begin with the length of a header, eight
bytes, and the header, JSON with dtype, shape and place of each tensor; their bytes follow.
"""

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from math import prod

import torch
from safetensors.torch import save as to_bytes
from torch import Tensor


@dataclass(frozen=True)
class Parts:
    """A tensor as parts along its first axis.

    Attributes:
        dtype: its dtype.
        shape: its shape.
        read: a function that returns all parts in order, each time from the first on.
    """

    dtype: torch.dtype
    shape: tuple[int, ...]
    read: Callable[[], Iterable[Tensor]]

    @classmethod
    def of(cls, tensor: "Tensor | Parts") -> "Parts":
        """Return a tensor that is in memory as a single part, and parts as they are."""
        if isinstance(tensor, Parts):
            return tensor
        return cls(tensor.dtype, tuple(tensor.shape), lambda: [tensor])

    def octets(self) -> Iterator[memoryview]:
        """Yield the bytes of the parts."""
        for part in self.read():
            yield part.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data

    def checksum(self) -> int:
        """Return the crc32 of dtype, shape and bytes."""
        crc = zlib.crc32(f"{self.dtype} {self.shape}".encode())
        for part in self.octets():
            crc = zlib.crc32(part, crc)
        return crc


def chunks(tensors: Mapping[str, Parts], metadata: dict[str, str]) -> Iterable[bytes | memoryview]:
    """Return the content of a safetensors file; parts of tensors are read when they are needed.

    Raises:
        KeyError, ValueError: for a dtype that such a file cannot hold.
    """
    empty = to_bytes({name: torch.empty(0, dtype=t.dtype) for name, t in tensors.items()})
    header = json.loads(empty[8:])  # their dtypes, in the order in which they are aligned
    header.pop("__metadata__", None)
    stop = 0
    for name, entry in header.items():
        tensor = tensors[name]
        start, stop = stop, stop + prod(tensor.shape) * tensor.dtype.itemsize
        entry |= {"shape": list(tensor.shape), "data_offsets": [start, stop]}
    content = {"__metadata__": metadata, **header}
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    head = len(text).to_bytes(8, "little") + text
    return chain([head], *(tensors[name].octets() for name in header))
