"""Windows of positions: each state reads only the patterns near its own."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..checks import check_flag, check_float, check_integer
from ..errors import OptionError, ShapeError
from .input_checks import check_instance


@dataclass(frozen=True, eq=False)
class Window:
    """Positions that a state may read, in a sequence of as many patterns as states.

    State i reads pattern j where −before ≤ ⌊j/block⌋ − ⌊i/block⌋ ≤ after. Time and memory grow
    with the length of the sequence times that of the window: no array holds all pairs.

    Args:
        before: number of patterns before its own that a state reads.
        after: number of patterns after its own; 0 is causal.
        block: number of patterns that are counted as one: `Window(0, 0, 64)` cuts the sequence
            into blocks of 64, which do not read each other.
        bias: numbers that are added to the scores βKx by relative position, from j − i = −before to
            after: `(before + after + 1,)`, or one row per head. Needs block=1.
        causal: True hides the patterns after its own from a state, also in its own block.
    """

    before: int
    after: int
    block: int = 1
    bias: Tensor | None = None
    causal: bool = False

    def __post_init__(self) -> None:
        for name, least in (("before", 0), ("after", 0), ("block", 1)):
            object.__setattr__(self, name, check_integer(name, getattr(self, name), low=least))
        check_flag("causal", self.causal)
        if self.bias is None:
            return
        if self.block > 1:
            raise OptionError(f"bias needs block=1, but block={self.block}.")
        length = self.before + self.after + 1
        if check_float("bias", self.bias).ndim not in (1, 2) or self.bias.shape[-1] != length:
            raise ShapeError(
                f"bias must have shape ({length},) or (heads, {length}), one number per relative "
                f"position, but has shape {tuple(self.bias.shape)}."
            )

    @classmethod
    def alibi(cls, heads: int, before: int, after: int = 0) -> "Window":
        """Return a window with linear biases −slope·|j − i| (Press et al. 2022).

        The slopes of 8 heads are ½, ¼, …, 1/256. For heads that are no power of 2, every other
        slope of twice as many heads follows those of the next lower power, as in the paper's code.

        Args:
            heads: number of heads.
            before: number of patterns before its own that a state reads.
            after: number of patterns after its own; 0 is causal.
        """
        power = 2 ** int(math.log2(check_integer("heads", heads, low=1)))
        slopes = [2 ** (-8 * k / power) for k in range(1, power + 1)]
        slopes += [2 ** (-4 * k / power) for k in range(1, 2 * (heads - power), 2)]
        window = cls(before, after)
        cpu = torch.device("cpu")  # values, even where new tensors are to have none ("meta")
        distance = torch.arange(-window.before, window.after + 1, device=cpu).abs()
        return cls(before, after, bias=-torch.tensor(slopes, device=cpu)[:, None] * distance)

    @property
    def margins(self) -> tuple[int, int]:
        """Numbers of patterns before and after a block that its states read."""
        return self.before * self.block, 0 if self.causal else self.after * self.block

    def ignored(self, m: int, n: int, shift: int, device: torch.device) -> Tensor:
        """Return True where state i ignores pattern j − shift, for m states and n patterns."""
        states = torch.arange(m, device=device)[:, None]
        patterns = torch.arange(n, device=device) - shift
        i, j = (place.div(self.block, rounding_mode="floor") for place in (states, patterns))
        ignored = (j - i < -self.before) | (j - i > self.after)
        return ignored | (patterns > states) if self.causal else ignored

    def position_bias(self, m: int, n: int, shift: int, device: torch.device) -> Tensor | None:
        """Return the bias of state i and pattern j − shift, `(m, n)` or `(heads, m, n)`."""
        if self.bias is None:
            return None
        offset = torch.arange(n, device=device) - shift - torch.arange(m, device=device)[:, None]
        last = self.before + self.after
        return self.bias.to(device)[..., (offset + self.before).clamp(0, last)]


class WindowModule(nn.Module):
    """The window of a layer as a module: a bias that requires grad becomes a parameter."""

    def __init__(self, window: Window) -> None:
        super().__init__()
        check_instance("window", window, Window, "Window(before=64, after=0)")
        start = None if window.bias is None else window.bias.detach().clone()
        self.start = replace(window, bias=start)
        self.bias: Tensor | None
        if window.bias is not None and window.bias.requires_grad:
            self.bias = nn.Parameter(window.bias.detach().clone())
        else:  # not in the state dict, which then is that of torch's attention
            self.register_buffer("bias", None if start is None else start.clone(), persistent=False)

    def forward(self) -> Window:
        """Return the window with its bias."""
        return replace(self.start, bias=self.bias)

    def reset_parameters(self) -> None:
        """Set the bias to the value that the constructor was given."""
        if self.bias is not None and self.start.bias is not None and not self.start.bias.is_meta:
            with torch.no_grad():
                self.bias.copy_(self.start.bias)

    def extra_repr(self) -> str:
        """Return the window as text."""
        before, after, block, _, causal = vars(self.start).values()
        learned = ", learned bias" if isinstance(self.bias, nn.Parameter) else ""
        bias = ", bias" if self.bias is not None and not learned else ""
        return (
            f"before={before}, after={after}, block={block}{learned or bias}{', causal' * causal}"
        )
