"""Couplings of decimals, with ties, and the map of all 2^N states in NumPy."""

from itertools import product

import numpy

SIZES = (1, 2, 3, 5, 8, 12)


def given(n: int, seed: int, symmetric: bool = True, decimals: int = 1):
    """Return W, with ties, and thresholds."""
    source = numpy.random.default_rng([n, seed])
    weights = source.normal(size=(n, n)).round(decimals)
    weights = (weights + weights.T) / 2 if symmetric else weights
    numpy.fill_diagonal(weights, 0)
    return weights, source.normal(size=n).round(decimals)


def all_states(n: int) -> numpy.ndarray:
    return numpy.array(list(product([-1.0, 1.0], repeat=n)))


def fields(weights, bias, states):
    return (states @ weights.T - bias).round(9)  # rounding of ties


def next_states(weights, bias, states):
    h = fields(weights, bias, states)
    return numpy.where(h == 0, states, numpy.sign(h))


def following(weights, bias, states):
    """The place of each state's successor among all states, by synchronous updates."""
    n = len(weights)
    bits = next_states(weights, bias, states) > 0
    return (bits @ 2 ** numpy.arange(n)[::-1]).astype(int)


def periods(successor) -> numpy.ndarray:
    """The period of the cycle that each state leads to, by walking."""
    found = []
    for state in range(len(successor)):
        seen = {}
        while state not in seen:
            seen[state] = len(seen)
            state = successor[state]
        found.append(len(seen) - seen[state])
    return numpy.array(found)
