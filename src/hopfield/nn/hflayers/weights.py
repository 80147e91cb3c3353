"""Weights of a layer of hflayers, taken one by one."""

import itertools
from collections.abc import Mapping

from torch import Tensor

from ...errors import OptionError


class Weights:
    """The weights that are not converted yet; `prefix` precedes those of the association."""

    def __init__(self, state_dict: Mapping[str, Tensor], prefix: str) -> None:
        self.unused, self.prefix = dict(state_dict), prefix

    def take(self, name: str, *shape: int | None, prefix: str | None = None) -> Tensor:
        """Remove and return weights of the association; None is any length."""
        name = (self.prefix if prefix is None else prefix) + name
        tensor = self.unused.pop(name, None)
        sizes = None if tensor is None else tuple(tensor.shape)
        if tensor is not None and sizes == tuple(
            length if size is None else size
            for size, length in itertools.zip_longest(shape, tensor.shape)
        ):
            return tensor.detach()
        wanted = ", ".join(str(size or "…") for size in shape) + "," * (len(shape) == 1)
        raise OptionError(
            f"state_dict must hold {name!r} of shape ({wanted}) for these arguments, but "
            f"{'does not' if tensor is None else f'has shape {sizes}'}. "
            "Check kind and arguments: give all sizes that the layer was made with."
        )

    def refuse_unused(self) -> None:
        """Raise an error if weights are left over."""
        if self.unused:
            raise OptionError(
                "state_dict must hold only the weights of a layer with these arguments, "
                f"but also has {', '.join(sorted(self.unused)[:4])}. Check kind and arguments."
            )
