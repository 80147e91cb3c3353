"""Memories of the library from the settings of the page."""

from typing import Any

from hopfield import (
    ClassicalHopfield,
    DenseHopfield,
    Entmax,
    Memory,
    ModernHopfield,
    Polynomial,
    RectifiedPolynomial,
    Separation,
    Softmax,
    Sparsemax,
    TopK,
)
from hopfield.rules import Perceptron

Settings = dict[str, Any]

SEPARATIONS: dict[str, type[Separation]] = {
    "softmax": Softmax, "sparsemax": Sparsemax, "entmax": Entmax, "topk": TopK,
    "polynomial": Polynomial, "rectified": RectifiedPolynomial,
}  # fmt: skip
"""Classes by the names of the page; its entmax is that of α = 1.5."""

KINDS = {ClassicalHopfield: "classical", DenseHopfield: "dense", ModernHopfield: "modern"}
RULES = ("hebbian", "covariance", "pseudo_inverse", "storkey", "perceptron")
PERCEPTRON = Perceptron(symmetric=True, passes=60)
"""The perceptron rule of the page, whose network has an energy."""

SIMILARITIES = ("euclidean", "dot")


def memory_of(network: Settings) -> Memory:
    """Return an empty memory of these settings."""
    options = {key: value for key, value in network.items() if key not in ("kind", "separation")}
    if network["kind"] == "classical":
        rule = PERCEPTRON if options["rule"] == "perceptron" else options["rule"]
        return ClassicalHopfield(**{**options, "rule": rule})
    if network["kind"] == "dense":
        return DenseHopfield(separation=separation_of(network["separation"]), **options)
    if network["separation"].get("beta") == "auto":
        separation = separation_of({**network["separation"], "beta": 1.0})
        return ModernHopfield("auto", separation=separation, **options)
    return ModernHopfield(separation=separation_of(network["separation"]), **options)


def separation_of(settings: Settings) -> Separation:
    """Return the separation of these settings."""
    options = {key: value for key, value in settings.items() if key != "name"}
    return SEPARATIONS[settings["name"]](**options)


def settings_of(memory: Memory) -> tuple[Settings, list[str]]:
    """Return the settings of the page for a memory, and those of the memory that the page lacks."""
    config, kind = memory.config(), KINDS[type(memory)]
    if kind == "classical":
        rule = "perceptron" if config["rule"] == PERCEPTRON else config["rule"]
        rule = rule if rule in RULES else ""
        lacking = [] if rule else [f"rule={config['rule']!r}"]
        chosen = {name: config[name] for name in ("schedule", "temperature")}
        return chosen | {"network": kind, **({"rule": rule} if rule else {})}, lacking
    separation: Any = memory.separation  # type: ignore[attr-defined]
    name = {made: name for name, made in SEPARATIONS.items()}.get(type(separation), "")
    if not name or getattr(separation, "alpha", 1.5) not in (1.5, 2.0):
        return {"network": kind}, [repr(separation)]
    numbers = {
        key: value for key in ("beta", "degree", "k") if (value := vars(separation).get(key))
    }
    chosen = {"network": kind, **numbers, **({"beta": "auto"} if "beta" in config else {})}
    if kind == "dense":
        return chosen | {"interaction": name, "schedule": config["schedule"]}, []
    score = config["similarity"].name
    lacking = [] if score in SIMILARITIES else [f"similarity={score!r}"]
    return chosen | {"separation": name} | ({} if lacking else {"similarity": score}), lacking
