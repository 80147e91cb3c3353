"""The forward pass of ml-jku's hflayers, written again from its published behaviour."""

import math

import torch
from torch.nn.functional import layer_norm, linear, pad

from nn_layers import draw64 as draw


class Written:
    """The forward pass of hflayers' Hopfield, written again from its published behaviour.

    Shapes are (rows, batch, length). Heads are a part of the batch axis: (batch·heads, rows, d).
    """

    def __init__(self, **arguments):
        self.of = {
            "num_heads": 1,
            "scaling": None,
            "update_steps_max": 0,
            "input_bias": True,
            "disable_out_projection": False,
            **arguments,
        }
        self.weights: dict[str, torch.Tensor] = {}

    def draw(self, name: str, *shape: int) -> torch.Tensor:
        if name not in self.weights:
            self.weights[name] = 0.5 * draw(*shape, seed=len(self.weights) + 10)
        return self.weights[name]

    def norm(self, name: str, rows: torch.Tensor) -> torch.Tensor:
        if not self.of.get(f"normalize_{name}", True):
            return rows
        affine = [None, None]
        if self.of.get(f"normalize_{name}_affine", True):
            width = rows.shape[-1]
            affine = [self.draw(f"norm_{name}.{part}", width) for part in ("weight", "bias")]
        eps = self.of.get(f"normalize_{name}_eps", 1e-5)
        return layer_norm(rows, rows.shape[-1:], *affine, eps)

    def static(self, name: str) -> bool:
        return self.of.get(f"{name}_as_static", False)

    @property
    def connected(self) -> bool:
        return self.of.get("pattern_projection_as_connected", False)

    @property
    def separate(self) -> bool:
        """True where every projection has its own matrix."""
        own = {self.of.get(f"{n}_size") for n in ("stored_pattern", "pattern_projection")}
        sizes = own - {None, self.of["input_size"]}
        return bool(sizes) or self.of.get("pattern_size") is not None or self.connected

    @property
    def size(self) -> int:
        """Width of a head."""
        return self.of.get("hidden_size") or self.of["input_size"] // self.of["num_heads"]

    @property
    def cuts(self) -> bool:
        """True where only as many projected features are read as static states have."""
        return self.static("state_pattern") and self.static("stored_pattern") and not self.separate

    def matrices(self, lengths: dict[str, int], widths: dict[str, int]) -> dict:
        moving = [name for name in lengths if not self.static(name)]
        core = "association_core."
        if self.separate:
            letters = dict(zip(lengths, "qkv", strict=True))
            return {
                name: self.draw(f"{core}{letters[name]}_proj_weight", widths[name], lengths[name])
                for name in moving
            }
        if not moving:
            return {}
        tall = [widths[name] for name in moving]
        whole = self.draw(f"{core}in_proj_weight", sum(tall), self.of["input_size"])
        return dict(zip(moving, whole.split(tall), strict=True))

    def biases(self, widths: dict[str, int]) -> dict:
        """Return the biases; projected patterns have one even if it is not used."""
        if not self.of["input_bias"] or all(map(self.static, widths)):
            return dict.fromkeys(widths)
        parts = [n for n in widths if not self.static(n) or n == "pattern_projection"]
        tall = [widths[name] for name in parts]
        whole = self.draw("association_core.in_proj_bias", sum(tall))
        return dict.fromkeys(widths) | dict(zip(parts, whole.split(tall), strict=True))

    def projected(self, rows: dict[str, torch.Tensor], heads: int, size: int, out: int):
        """Return queries, keys and values, (rows, batch, heads·width)."""
        widths = dict(zip(rows, (heads * size, heads * size, heads * out), strict=True))
        lengths = {name: given.shape[-1] for name, given in rows.items()}
        through = self.connected and not self.static("stored_pattern")
        if through:
            lengths["pattern_projection"] = widths["stored_pattern"]
        matrices, biases, found = self.matrices(lengths, widths), self.biases(widths), {}
        for name, given in rows.items():
            last = name == "pattern_projection"
            if last and through:
                given = linear(given, matrices["stored_pattern"], biases["stored_pattern"])
            if not self.static(name):
                found[name] = linear(given, matrices[name], biases[name])
                if last and self.cuts:
                    found[name] = found[name][..., : rows["state_pattern"].shape[-1]]
            elif last and self.separate and (self.connected or self.static("stored_pattern")):
                found[name] = given
            else:
                found[name] = given.repeat(1, heads, 1)  # beside the batch: head after head
        return found.values()

    def in_space(self, rows: torch.Tensor, size: int) -> torch.Tensor:
        """Return queries or keys, normalised if the arguments say so."""
        if not self.of.get("normalize_hopfield_space"):
            return rows
        affine = [None, None]
        if self.of.get("normalize_hopfield_space_affine"):
            parts = ("p_norm_weight", "p_norm_bias")
            affine = [self.draw(f"association_core.{part}", size) for part in parts]
        eps = self.of.get("normalize_hopfield_space_eps", 1e-5)
        return layer_norm(rows.reshape(-1, size), (size,), *affine, eps).reshape(rows.shape)

    def out(self, read: torch.Tensor) -> torch.Tensor:
        if self.of["disable_out_projection"]:
            return read
        wide = self.of.get("output_size") or self.of["input_size"]
        matrix = self.draw("association_core.out_proj.weight", wide, read.shape[-1])
        biased = self.of["input_bias"]
        return linear(
            read, matrix, self.draw("association_core.out_proj.bias", wide) if biased else None
        )

    def weigh(self, q, k, heads, padding, pairs) -> torch.Tensor:
        """Return the weights of the last softmax, (batch, heads, rows, patterns)."""
        # By the given size, which can differ from the length of static states.
        scale = self.of["scaling"] or self.size**-0.5
        for _ in range(self.of["update_steps_max"] + 1):
            scores = (scale * q @ k.mT).unflatten(0, (-1, heads))
            if padding is not None:
                scores = scores.masked_fill(padding[:, None, None], -math.inf)
            if pairs is not None:
                scores = scores.masked_fill(pairs, -math.inf)
            weights = torch.softmax(scores.flatten(0, 1), dim=-1)
            q = weights @ k
        return weights

    def __call__(self, stored, state, projected, padding=None, pairs=None):
        heads, batch = self.of["num_heads"], len(stored)
        rows = {
            "state_pattern": self.norm("state_pattern", state).transpose(0, 1),
            "stored_pattern": self.norm("stored_pattern", stored).transpose(0, 1),
            "pattern_projection": self.norm("pattern_projection", projected).transpose(0, 1),
        }
        size = self.size
        q, k, v = self.projected(rows, heads, size, self.of.get("pattern_size") or size)
        q, k = self.in_space(q, size), self.in_space(k, size)
        q, k, v = (t.reshape(len(t), batch * heads, -1).transpose(0, 1) for t in (q, k, v))
        if self.of.get("add_zero_association"):
            k, v = (torch.cat([t, torch.zeros_like(t[:, :1])], dim=1) for t in (k, v))
            padding, pairs = (None if m is None else pad(m, (0, 1)) for m in (padding, pairs))
        weights = self.weigh(q, k, heads, padding, pairs)
        read = (weights @ v).transpose(0, 1).reshape(state.shape[1], batch, -1)
        found, activation = self.out(read).transpose(0, 1), self.of.get("association_activation")
        found = getattr(torch, activation)(found) if activation else found
        return found, weights.unflatten(0, (batch, heads))
