"""Arguments that a memory does not take: the error says where each belongs."""

import difflib
import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import ParamSpec, TypeVar

from ..errors import InputTypeError, OptionError

P = ParamSpec("P")
T = TypeVar("T")

SYNONYMS = {
    "values": "labels targets y",
    "names": "name ids keys paths",
    "table": "metadata meta payload payloads columns frame",
    "known": "mask attention_mask",
    "steps": "max_steps n_steps num_steps max_iter n_iter num_iter iterations update_steps_max",
    "tol": "eps epsilon tolerance update_steps_eps",
    "beta": "inverse_temperature scaling",
    "thresholds": "bias biases",
    "generator": "rng",
    "units": "dim n size n_units num_units n_neurons num_neurons input_size in_features",
    "rows": "x data pattern patterns cue cues state states query queries input state_pattern",
}
"""Arguments of this library, and the names that other libraries and papers give to them."""

WORDS = {other: word for word, others in SYNONYMS.items() for other in others.split()}
FIRST = ("ClassicalHopfield", "DenseHopfield", "ModernHopfield")
"""Memories that are named first where several take an argument."""

SIZE_HINT = "The first store(patterns) decides the number of units."


def named_arguments(method: Callable[P, T]) -> Callable[P, T]:
    """Wrap a method: an argument that it does not take raises an `OptionError`."""

    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(*args, **kwargs)
        except TypeError:
            if args:
                check_keywords(type(args[0]), method.__name__, kwargs)
                _check_positions(method, args, kwargs)
            raise

    return call


def check_keywords(
    kind: type, method: str, given: Iterable[str], passed_on: Iterable[str] = ()
) -> None:
    """Raise for the first name that the method of a memory class does not take.

    Args:
        kind: the class.
        method: the name of the method.
        given: the names in the call.
        passed_on: names that the method takes as `**options`.
    """
    own = [*_arguments(kind, method), *passed_on]
    if passed_on:
        own.remove("**")
    for name in given:
        if name not in own and "**" not in own:
            caller = kind.__name__ if method == "__init__" else f"{kind.__name__}.{method}"
            place = _place(kind, method, name, own)
            raise OptionError(f"{caller} takes no argument {name!r:.80}. {place}")


def _check_positions(method: Callable[..., object], args: Sequence[object], names: object) -> None:
    # Raise if the method cannot be called with these arguments, and name the user's class.
    try:
        inspect.signature(method).bind(*args, **names)  # type: ignore[arg-type]
    except TypeError as error:
        caller = f"{type(args[0]).__name__}.{method.__name__}"
        raise InputTypeError(f"{caller} must get other arguments: {error}.") from None


def _place(kind: type, method: str, name: str, own: list[str]) -> str:
    from .base import MEMORIES

    word = WORDS.get(name.lower(), name)
    if word in own:
        return f"Use {word}=."
    sides = [f"{each}=" for each in own if each in (f"{word}_x", f"{word}_y")]
    if sides:
        return f"Use {' or '.join(sides)}."
    if word == "units" and method == "__init__":
        return SIZE_HINT
    if word == "rows" and own and WORDS.get(own[0]) == "rows":
        return f"Give it first, without a name, or as {own[0]}=."
    if word == "beta" and method == "__init__" and "gain" in own:
        return "Use gain=."
    if word == "beta" and method == "__init__" and "separation" in own:
        return "Use separation=hopfield.Softmax(beta)."

    def rank(owner: type) -> tuple[bool, bool]:
        is_alike = getattr(owner, "binary", None) == getattr(kind, "binary", None)
        return owner.__name__ not in FIRST, not is_alike

    others = sorted(MEMORIES.values(), key=rank)
    for owner in [kind, *others]:
        if word in _arguments(owner, "__init__"):
            return f"It belongs to {owner.__name__}({word}=…)."
    for door in ("retrieve", "store"):
        if word in _arguments(kind, door):
            return f"It belongs to {door}(…, {word}=…)."
    near = difflib.get_close_matches(name, own, n=1)
    return f"Did you mean {near[0]}=?" if near else f"It takes {', '.join(own) or 'none'}."


def _arguments(kind: type, method: str) -> list[str]:
    parameters = list(inspect.signature(getattr(kind, method)).parameters.values())[1:]
    return ["**" if each.kind is each.VAR_KEYWORD else each.name for each in parameters]
