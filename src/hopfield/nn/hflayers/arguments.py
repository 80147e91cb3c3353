"""What the constructor arguments of hflayers mean, and which cannot be taken over."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from ...checks import check_choice, check_integer, say
from ...errors import OptionError

STATE, STORED, PROJECTED = "state_pattern", "stored_pattern", "pattern_projection"
SPACE = "hopfield_space"
INPUTS = (STATE, STORED, PROJECTED)

SHARED: dict[str, Any] = {
    "input_size": None,
    "hidden_size": None,
    "output_size": None,
    "pattern_size": None,
    "num_heads": 1,
    "scaling": None,
    "update_steps_max": 0,
    "update_steps_eps": 1e-4,
    **{f"normalize_{name}{end}": True for name in INPUTS for end in ("", "_affine")},
    **{f"normalize_{SPACE}{end}": False for end in ("", "_affine")},
    **{f"{name}_as_static": False for name in INPUTS},
    "pattern_projection_as_connected": False,
    "stored_pattern_size": None,
    "pattern_projection_size": None,
    "batch_first": True,
    "association_activation": None,
    "dropout": 0.0,
    "input_bias": True,
    "concat_bias_pattern": False,
    "add_zero_association": False,
    "disable_out_projection": False,
}
EPSILONS = {f"normalize_{name}_eps": 1e-5 for name in (*INPUTS, SPACE)}
LEARNED = {"quantity": 1, "trainable": True}
LOOKUP = {"lookup_weights_as_separated": False, "lookup_targets_as_trainable": True}
KINDS: dict[str, dict[str, Any]] = {
    "Hopfield": {**SHARED, **EPSILONS},
    "HopfieldPooling": {**SHARED, **LEARNED},
    "HopfieldLayer": {**SHARED, **LEARNED, **LOOKUP},
}
"""The classes of hflayers: what their constructors take, and what they assume."""

ALIKE: dict[str, tuple[str, ...]] = {
    "Hopfield": (),
    "HopfieldPooling": (STATE,),
    "HopfieldLayer": (STORED, PROJECTED),
}
"""What is the same for every entry of a batch, so that confusing them changes nothing."""

Refusal = tuple[Callable[[Any], bool], str]
ACTIVATIONS = ("relu", "tanh", "sigmoid", "selu", "celu", "erf", "exp", "sin", "cos", "abs")
"""Functions of torch that need nothing but the output."""

REFUSED: dict[str, Refusal] = {
    "association_activation": (
        lambda value: value is not None and value not in ACTIVATIONS,
        f"known are {', '.join(ACTIVATIONS)}. Leave it out, and apply the activation to the output "
        "(hflayers ignores a name that torch does not have)",
    ),
    "batch_first": (
        lambda value: value is not True,
        "layers here take the batch first. Leave it out, and transpose what you give",
    ),
    "update_steps_max": (
        lambda value: value is None or min(_entries(value)) < 0,
        "without a limit hflayers goes on until the whole batch moves little, so that a result "
        "depends on its batch. Give a number of steps",
    ),
    "scaling": (
        lambda value: value is not None and not min(_entries(value)) > 0,
        "beta must be above 0",
    ),
    "update_steps_eps": (
        lambda value: not min(_entries(value)) > 0,
        "hflayers takes none that is not above 0. Give the one the layer was made with",
    ),
}
"""Values that cannot be taken over, and why."""

ONE_FOR_ALL = {
    "scaling": "with several heads hflayers does not scale each head by its own, but every so many "
    "features. Only one number for all heads can be taken over",
    "update_steps_max": "heads of one layer make the same number of steps here",
}
CONFUSED = (
    "with several heads hflayers reads a static pattern of one entry of a batch with the heads "
    "of another. Only num_heads=1 can be taken over"
)
CUT = (
    "hflayers reads no more features of the projected patterns than static states and static "
    "stored patterns have, input_size={}. Only a hidden_size up to that can be taken over"
)
CONNECTED = (
    "hflayers asks that static states and static stored patterns be as long as that where "
    "projected patterns are connected, and they are {}. No call of such a layer works there"
)

NOT_MADE = "hflayers makes no such layer"


def refused(name: str, value: object, reason: str) -> OptionError:
    """The error for an argument that cannot be taken over."""
    return OptionError(f"{name}={say(value)} cannot be taken over: {reason}.")


class Arguments:
    """The arguments of one layer of hflayers, and what follows from them."""

    def __init__(self, given: Mapping[str, Any], kind: str) -> None:
        """Refuse what is unknown, and what cannot be taken over."""
        self.kind = check_choice("kind", kind, KINDS)
        for name in given:
            check_choice(f"an argument of {kind}", name, KINDS[kind])
        self.all: dict[str, Any] = {**EPSILONS, **KINDS[kind], **given}
        self.heads = check_integer("num_heads", self["num_heads"], low=1)
        for name in (name for name in self.all if name.endswith("_size")):
            if self[name] is not None:
                check_integer(name, self[name], low=1)
        for name, (wrong, reason) in REFUSED.items():
            if wrong(self[name]):
                raise refused(name, self[name], reason)
        for name in INPUTS:
            if self.repeated(name) and self.heads > 1 and name not in ALIKE[kind]:
                raise refused(f"{name}_as_static", True, CONFUSED)
        for name, reason in self._impossible():
            raise refused(name, self[name], f"{NOT_MADE}: {reason}")
        if self.cuts and self.normalised and self.width > self["input_size"]:
            raise refused("hidden_size", self.width, CUT.format(self["input_size"]))
        if self.whole and self.long not in (None, self.width):
            raise refused("hidden_size", self.width, CONNECTED.format(self.long))

    def _impossible(self) -> Iterator[tuple[str, str]]:
        """Arguments that hflayers itself refuses beside the others, and why."""
        for name in (*INPUTS, SPACE):
            if self[f"normalize_{name}_affine"] and not self[f"normalize_{name}"]:
                reason = f"without normalize_{name} there is nothing to scale. Set it to False"
                yield f"normalize_{name}_affine", reason
        normed = [name for name in INPUTS if self[f"normalize_{name}"]]
        if self["input_size"] is None and (not self.untouched or None in map(self.size, normed)):
            yield "input_size", "it may be left out where nothing is projected or normalised"
        if self["concat_bias_pattern"] and (self.static(STORED) or self.static(PROJECTED)):
            yield "concat_bias_pattern", "static patterns take no bias. Leave it out"
        if self.connected and self.size(STORED) != self.size(PROJECTED):
            yield f"{PROJECTED}_as_connected", "both patterns must have one size"
        if self.connected and self["pattern_size"] not in (None, self.width):
            yield "pattern_size", f"where patterns are connected it is hidden_size={self.width}"

    @property
    def normalised(self) -> bool:
        """Whether states or stored patterns are, which gives them the length input_size."""
        return bool(self[f"normalize_{STATE}"] or self[f"normalize_{STORED}"])

    @property
    def whole(self) -> bool:
        """Whether hflayers takes static states of length hidden_size alone, at the call."""
        return self.static(STATE) and self.static(STORED) and self.connected

    @property
    def long(self) -> int | None:
        """Length of static states and static stored patterns, which are alike; None if any."""
        normed = [name for name in (STATE, STORED) if self[f"normalize_{name}"]]
        return self.size(normed[0]) if normed else None

    @property
    def cuts(self) -> bool:
        """Whether hflayers reads no more projected features than static states are long."""
        static = [self.static(name) for name in INPUTS]
        return static == [True, True, False] and not self.separate

    def __getitem__(self, name: str) -> Any:
        """The value of an argument, given or assumed."""
        return self.all[name]

    def one(self, name: str) -> Any:
        """The number that a number is, or that a tensor or list holds for every head."""
        values = set(_entries(self[name]))
        if len(values) > 1:
            raise refused(name, self[name], ONE_FOR_ALL[name])
        return values.pop()

    def static(self, name: str) -> bool:
        """Whether it is read without a projection."""
        return bool(self[f"{name}_as_static"])

    def repeated(self, name: str) -> bool:
        """Whether it is static and every head reads all of it, not a part."""
        cut = name == PROJECTED and self.separate and (self.connected or self.static(STORED))
        return self.static(name) and not cut

    @property
    def connected(self) -> bool:
        """Whether projected patterns pass the projection of the stored ones first."""
        return bool(self["pattern_projection_as_connected"])

    @property
    def untouched(self) -> bool:
        """Whether the association neither projects nor normalises anything."""
        return all(map(self.static, INPUTS)) and not (
            self.connected or self["normalize_hopfield_space"] or not self["disable_out_projection"]
        )

    @property
    def separate(self) -> bool:
        """Whether each projection has a matrix of its own, not a part of one."""
        own = {self["stored_pattern_size"], self["pattern_projection_size"]}
        sizes = own - {None, self["input_size"]}
        return bool(sizes and not self.untouched) or self["pattern_size"] or self.connected

    @property
    def width(self) -> int:
        """Of a head, in the space of association."""
        return int(self["hidden_size"] or (self["input_size"] or 0) // self.heads)

    def wide(self, name: str) -> int:
        """Length of all heads side by side, of what is projected."""
        own = self["pattern_size"] if name == PROJECTED else None
        return self.heads * int(own or self.width)

    @property
    def beta(self) -> float:
        """β."""
        if self["scaling"] is not None:
            return float(self.one("scaling"))
        return 1.0 if self.untouched else float(self.width**-0.5)

    def size(self, name: str) -> int | None:
        """Length of what is given."""
        own = None if name == STATE else self[f"{name}_size"]
        return own or self["input_size"]


def _entries(value: Any) -> list[float]:
    entries: list[float] = torch.as_tensor(value, dtype=torch.float64).flatten().tolist()
    return entries
