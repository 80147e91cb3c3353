"""Hierarchical associative memory, and the Energy Transformer as one of its networks.

A network is a hypergraph (Krotov 2021; Hoover et al. 2022): layers of neurons are its nodes, and
synapses its edges, each between any number of layers. A layer has a convex Lagrangian L, whose
gradient is the activation g = ∂L/∂x of its neurons; a synapse has an energy of activations:

    E = leak · Σ_layers (x·g − L(x)) + Σ_synapses E(g of its layers)
    dx/dt = −∂E/∂g = −leak · x − Σ_synapses ∂E/∂g

With the Hessian H of L, ∂E/∂x = H ∂E/∂g. So dE/dt = −(dx/dt)ᵀ H (dx/dt), which is never positive.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from hopfield import Polynomial, Separation, data
from hopfield.nn import EnergyTransformerBlock

States = dict[str, Tensor]
Lagrangian = Callable[[Tensor], Tensor]


def linear(x: Tensor) -> Tensor:
    """g = x."""
    return x.square().sum(-1) / 2


def rectified(x: Tensor) -> Tensor:
    """g = max(0, x)."""
    return x.relu().square().sum(-1) / 2


def sigmoidal(x: Tensor) -> Tensor:
    """g = tanh x, the gradient of log cosh x."""
    return (torch.nn.functional.softplus(2 * x) - x - math.log(2)).sum(-1)


def softmax(beta: float) -> Lagrangian:
    """g = softmax(βx)."""
    return lambda x: torch.logsumexp(beta * x, -1) / beta


def layer_norm(gamma: Tensor, delta: Tensor, eps: float = 1e-5) -> Lagrangian:
    """g = γ(x − mean x)/std x + δ."""
    return lambda x: (
        x.shape[-1] * gamma * (x.var(-1, correction=0) + eps).sqrt() + (delta * x).sum(-1)
    )


class Synapse(NamedTuple):
    """An edge: the names of its layers, and the energy of their activations, `(batch)`."""

    layers: tuple[str, ...]
    energy: Callable[..., Tensor]


def memory(separation: Separation, **weights: Tensor) -> Synapse:
    """E = −F(s), where the score s_μ of memory μ is the product of ξ_μ·g over all its layers."""

    def energy(*activations: Tensor) -> Tensor:
        scores = [g @ w.T for g, w in zip(activations, weights.values(), strict=True)]
        return -separation.potential(torch.stack(scores).prod(0))

    return Synapse(tuple(weights), energy)


class HierarchicalMemory:
    """A hypergraph: layers by name, each with a Lagrangian, and synapses between them."""

    def __init__(
        self, layers: Mapping[str, Lagrangian], synapses: Sequence[Synapse], leak: float = 1.0
    ) -> None:
        """Without a leak, only synapses have an energy."""
        self.layers, self.synapses, self.leak = layers, synapses, leak

    def activations(self, states: States) -> States:
        """Return g = ∂L/∂x of every layer."""
        return torch.func.grad(lambda x: sum(self.layers[n](x[n]).sum() for n in x))(states)

    def energy(self, states: States) -> Tensor:
        """Return E, `(batch)`."""
        g = self.activations(states)
        neurons = [(x * g[name]).sum(-1) - self.layers[name](x) for name, x in states.items()]
        return self.leak * sum(per_sample(own) for own in neurons) + self._of_synapses(g)

    def step(self, states: States, rate: float, held: Sequence[str] = ()) -> States:
        """Return the states after x ← x − rate · ∂E/∂g; layers that are `held` keep theirs."""
        g = self.activations(states)
        slopes = torch.func.grad(lambda g: self._of_synapses(g).sum())(g)
        return {name: x if name in held else x - rate * (self.leak * x + slopes[name])
                for name, x in states.items()}  # fmt: skip

    def _of_synapses(self, g: States) -> Tensor:
        return sum(s.energy(*(g[name] for name in s.layers)) for s in self.synapses)


def per_sample(values: Tensor) -> Tensor:
    """Return sums over all axes but the first."""
    return values.flatten(1).sum(1) if values.ndim > 1 else values


def energy_transformer(block: EnergyTransformerBlock) -> HierarchicalMemory:
    """Return a layer of tokens, without leak, with attention and memories as its synapses."""

    def attention(g: Tensor) -> Tensor:
        query, key = (layer(g).unflatten(-1, (block.heads, -1)).transpose(1, 2)
                      for layer in (block.query, block.key))  # fmt: skip
        beta, n = query.shape[-1] ** -0.5, g.shape[1]
        scores = (beta * query @ key.mT).masked_fill(torch.eye(n).bool(), -math.inf)
        return -per_sample(torch.logsumexp(scores, -1) - math.log(n - 1)) / beta

    def memories(g: Tensor) -> Tensor:
        return -per_sample((g @ block.memories.T).relu().square()) / 2

    tokens = layer_norm(block.log_gamma.exp(), block.delta)
    synapses = [Synapse(("tokens",), attention), Synapse(("tokens",), memories)]
    return HierarchicalMemory({"tokens": tokens}, synapses, leak=0.0)


def main() -> None:
    """Complete digits by two layers of pixels and one of memories; rebuild a transformer block."""
    digits = data.load("digits").patterns[:100]
    rows = torch.nn.functional.normalize(digits - digits.mean(0), dim=-1)
    halves, one_each = [("upper", rows[:, :32]), ("lower", rows[:, 32:])], torch.eye(100)
    product = Polynomial(1)  # F(s) = Σ s: each memory neuron times its score
    network = HierarchicalMemory(
        {"upper": linear, "lower": linear, "memories": softmax(beta=40.0)},
        [memory(product, **{part: weights, "memories": one_each}) for part, weights in halves],
    )
    states = {"upper": rows[:, :32], "lower": 0 * rows[:, 32:], "memories": 0 * one_each}
    energies = [network.energy(states)]
    for _ in range(100):
        states = network.step(states, rate=0.1, held=["upper"])
        energies.append(network.energy(states))
    falls = (torch.stack(energies).diff(dim=0) <= 1e-6).all()
    right = (states["memories"].argmax(-1) == torch.arange(100)).sum()
    print(f"digits completed from their upper half: {right} of 100; energy falls: {falls}")

    block, tokens = EnergyTransformerBlock(32, heads=4).double(), torch.randn(2, 10, 32).double()
    stepped = energy_transformer(block).step({"tokens": tokens}, block.rate)["tokens"]
    error = (stepped - block.step(tokens)).abs().max()
    print(f"one step of EnergyTransformerBlock, rebuilt: equal within 1e-12: {error < 1e-12}")


if __name__ == "__main__":
    main()
