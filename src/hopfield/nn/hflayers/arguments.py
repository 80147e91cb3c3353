"""Constructor arguments of hflayers, and the ones that cannot be converted."""

import math
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import torch

from ...checks import check_choice, check_flag, check_integer, check_number, short_repr
from ...errors import InputTypeError, OptionError

STATE, STORED, PROJECTED = "state_pattern", "stored_pattern", "pattern_projection"
SPACE = "hopfield_space"
INPUTS = (STATE, STORED, PROJECTED)

SIZES = [f"{part}_size" for part in ("input", "hidden", "output", "pattern", STORED, PROJECTED)]
SHARED: dict[str, Any] = {
    **dict.fromkeys([*SIZES, "scaling", "association_activation"]),
    **{
        f"normalize_{name}{end}": name != SPACE
        for name in (*INPUTS, SPACE)
        for end in ("", "_affine")
    },
    **{f"{name}_as_static": False for name in INPUTS},
    **dict.fromkeys(["batch_first", "input_bias"], True),
    **dict.fromkeys(["pattern_projection_as_connected", "concat_bias_pattern"], False),
    **dict.fromkeys(["add_zero_association", "disable_out_projection"], False),
    **{"num_heads": 1, "update_steps_max": 0, "update_steps_eps": 1e-4, "dropout": 0.0},
}
EPSILONS = {f"normalize_{name}_eps": 1e-5 for name in (*INPUTS, SPACE)}
LEARNED = {"quantity": 1, "trainable": True}
LOOKUP = {"lookup_weights_as_separated": False, "lookup_targets_as_trainable": True}
KINDS: dict[str, dict[str, Any]] = {
    "Hopfield": {**SHARED, **EPSILONS},
    "HopfieldPooling": {**SHARED, **LEARNED},
    "HopfieldLayer": {**SHARED, **LEARNED, **LOOKUP},
}
"""Constructor arguments of the classes of hflayers, with their defaults."""

CONSTANT = {"Hopfield": (), "HopfieldPooling": (STATE,), "HopfieldLayer": (STORED, PROJECTED)}
"""Inputs that are equal for all entries of a batch."""

ACTIVATIONS = ("relu", "tanh", "sigmoid", "selu", "celu", "erf", "exp", "sin", "cos", "abs")
"""Functions of torch with one argument."""


class Arguments:
    """The arguments of one layer of hflayers, and the quantities that follow from them.

    Static inputs are those that are not projected.

    Attributes:
        width: width of a head in the space of association.
        widths: width of each input after projection, all heads together.
        repeated: True for static inputs that each head reads whole.
        is_connected: True where projected patterns pass the projection of the stored ones first.
        has_separate_matrices: True where each projection has a matrix, not a part of a common one.
        core_is_empty: True where the association neither projects nor normalises anything.
        truncates: True where hflayers reads only as many projected features as static states have.
        fixes_length: True where hflayers accepts only static states of length hidden_size.
        static_length: length of static states and stored patterns, if a normalisation fixes it.
    """

    def __init__(self, given: Mapping[str, Any], kind: str) -> None:
        self.kind = check_choice("kind", kind, KINDS)
        for name in given:
            check_choice(f"an argument of {kind}", name, KINDS[kind])
        self.all: dict[str, Any] = {**EPSILONS, **KINDS[kind], **given}
        self.heads: int = check_integer("num_heads", self["num_heads"], low=1)
        self._check_types(KINDS[kind])
        self._derive()
        for name, reason in chain(self._unsupported(), self._impossible()):
            raise OptionError(f"{name}={short_repr(self[name])} cannot be converted: {reason}.")
        scaling, default = self["scaling"], 1.0 if self.core_is_empty else self.width**-0.5
        self.beta = default if scaling is None else self._numbers("scaling")[0]
        self.steps = int(self._numbers("update_steps_max")[0]) + 1

    def _check_types(self, defaults: Mapping[str, Any]) -> None:
        for name, default in defaults.items():
            if isinstance(default, bool):
                check_flag(name, self[name])
            elif (name in SIZES and self[name] is not None) or name == "quantity":
                check_integer(name, self[name], low=1)
            elif name in (*EPSILONS, "dropout"):
                check_number(name, self[name], low=0.0)

    def _derive(self) -> None:
        length = self["input_size"]
        stored_size, projected_size = self[f"{STORED}_size"], self[f"{PROJECTED}_size"]
        self.sizes: dict[str, int | None] = dict(
            zip(INPUTS, (length, stored_size or length, projected_size or length), strict=True)
        )
        self.width = int(self["hidden_size"] or (length or 0) // self.heads)
        self.widths = dict.fromkeys(INPUTS, self.heads * self.width)
        self.widths[PROJECTED] = self.heads * int(self["pattern_size"] or self.width)
        self.static = {name: bool(self[f"{name}_as_static"]) for name in INPUTS}
        state, stored, projected = self.static.values()
        self.is_connected = bool(self["pattern_projection_as_connected"])
        self.core_is_empty = all(self.static.values()) and not (
            self.is_connected
            or self["normalize_hopfield_space"]
            or not self["disable_out_projection"]
        )
        has_sizes = {stored_size, projected_size} - {None, length} and not self.core_is_empty
        self.has_separate_matrices = bool(has_sizes or self["pattern_size"] or self.is_connected)
        is_split = self.has_separate_matrices and (self.is_connected or stored)
        self.repeated = {**self.static, PROJECTED: projected and not is_split}
        self.truncates = state and stored and not projected and not self.has_separate_matrices
        self.fixes_length = state and stored and self.is_connected
        lengths = [self.sizes[name] for name in (STATE, STORED) if self[f"normalize_{name}"]]
        self.static_length = lengths[0] if lengths else None

    def _unsupported(self) -> Iterator[tuple[str, str]]:
        """Yield arguments that layers here lack, and the reasons."""
        activation, limit, scaling = (
            self[name] for name in ("association_activation", "update_steps_max", "scaling")
        )
        if activation is not None and activation not in ACTIVATIONS:
            yield (
                "association_activation",
                f"known are {', '.join(ACTIVATIONS)}. Leave it out, and apply the activation to "
                "the output (hflayers ignores a name that torch does not have)",
            )
        if self["batch_first"] is not True:
            yield "batch_first", "layers here have the batch first. Leave it out, and transpose"
        if limit is None or min(self._numbers("update_steps_max")) < 0:
            yield (
                "update_steps_max",
                "without a limit hflayers stops when the whole batch moves little, so that a "
                "result depends on its batch. Give a number of steps",
            )
        if len(set(self._numbers("update_steps_max"))) > 1:
            yield "update_steps_max", "heads of one layer make the same number of steps here"
        if not min(self._numbers("update_steps_eps")) > 0:
            yield "update_steps_eps", "hflayers accepts values above 0 only"
        if scaling is not None and not min(self._numbers("scaling")) > 0:
            yield "scaling", "beta must be above 0"
        if scaling is not None and len(set(self._numbers("scaling"))) > 1:
            reason = "hflayers scales features by these numbers in turn, not heads"
            yield "scaling", f"{reason}. Only one number for all heads can be converted"
        for name in INPUTS:
            if self.repeated[name] and self.heads > 1 and name not in CONSTANT[self.kind]:
                reason = "hflayers reads a static pattern with the heads of another batch entry"
                yield f"{name}_as_static", f"{reason}. Only num_heads=1 can be converted"

    def _impossible(self) -> Iterator[tuple[str, str]]:
        """Yield arguments with which hflayers cannot be made or called, and the reasons."""
        none, width, length = "hflayers makes no such layer: ", self.width, self.static_length
        for name in (*INPUTS, SPACE):
            if self[f"normalize_{name}_affine"] and not self[f"normalize_{name}"]:
                reason = f"without normalize_{name} there is nothing to scale. Set it to False"
                yield f"normalize_{name}_affine", none + reason
        normed = [self.sizes[name] for name in INPUTS if self[f"normalize_{name}"]]
        if self["input_size"] is None and (not self.core_is_empty or None in normed):
            yield "input_size", f"{none}it is optional if nothing is projected or normalised"
        if self["concat_bias_pattern"] and (self.static[STORED] or self.static[PROJECTED]):
            yield "concat_bias_pattern", f"{none}static patterns have no bias. Leave it out"
        if self.is_connected and self.sizes[STORED] != self.sizes[PROJECTED]:
            yield f"{PROJECTED}_as_connected", f"{none}both patterns must have one size"
        if self.is_connected and self["pattern_size"] not in (None, width):
            yield "pattern_size", f"{none}with connected patterns it is hidden_size={width}"
        if self.truncates and length is not None and width > self["input_size"]:
            reason = "hflayers reads only as many projected features as static states have"
            size = f"input_size={self['input_size']}"
            yield "hidden_size", f"{reason}, {size}. Only a hidden_size up to that can be converted"
        if self.fixes_length and length not in (None, width):
            reason = "static states beside connected patterns must have this length, but theirs"
            yield "hidden_size", f"{reason} are {length}. No call of such a layer works in hflayers"

    def __getitem__(self, name: str) -> Any:
        return self.all[name]

    def _numbers(self, name: str) -> list[float]:
        try:
            numbers = torch.as_tensor(self[name], dtype=torch.float64).flatten().tolist()
        except (TypeError, ValueError, RuntimeError, OverflowError):
            numbers = []
        if not numbers or not all(map(math.isfinite, numbers)):
            raise InputTypeError(
                f"{name} must be a number, or one number per head, but is {short_repr(self[name])}."
            )
        return numbers
