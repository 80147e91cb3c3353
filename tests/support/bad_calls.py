"""Call every public function with bad arguments: a named error or a right result, nothing else.

    python tests/support/bad_calls.py 20000 [SEED]

prints each kind of finding once, and the counts. A call takes good values for some arguments, by
their names, and a nasty one for the others. A finding is an exception that is no `HopfieldError`, a
warning, or NaN in the result of finite arguments.
"""

import inspect
import random
import sys
import traceback
import types
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any, NamedTuple

import torch
from torch import Tensor

import hopfield
from bad_values import COUNT, DIM, NASTY, ROWS, SIGNS
from hopfield import errors, nn

VALID = {("module", "progress"), ("class", "progress"), ("module", "corrupt"),
         ("module", "damage"), ("module", "returned")}  # fmt: skip
"""A callable that the function must call, and that fails by itself."""
PARTS_OF_OTHERS = {
    "energy.modern_of_checked", "energy.with_post_of_checked",
    "errors.missing_extra", "errors.warn_caller", "rules.grown",
    "rules.orthonormal", "rules.with_rounding_slack", "similarity.masked_state",
    "similarity.ratio_or_zero", "similarity.scale_rows", "similarity.squares_of",
    "separation.with_parameters", "units.dense_sweep", "units.exact_dot",
    "units.field_rounding", "units.following_field", "units.glauber",
    "units.saturated_beta", "units.sign_columns",
    "units.sign_or_keep", "units.thermal_cut", "units.whole_dot",
}  # fmt: skip
"""Functions that compute inside a checked call, and trust their arguments."""
RESULTS = {"Retrieval", "nn.Association", "separation.Readout", "stores.Summary", "stores.Block",
           "stores.PackedBlock", "similarity.Affine", "similarity.TensorRows"}  # fmt: skip
"""Classes that the library fills; nobody else calls their constructors."""


def _memory(kind: type[hopfield.Memory], **options: Any) -> hopfield.Memory:
    memory = kind(**options)
    memory.store(ROWS if kind is hopfield.ModernHopfield else SIGNS, torch.arange(3.0))
    return memory


def _sequence(separation: hopfield.Separation) -> hopfield.Memory:
    memory = hopfield.SequenceHopfield(separation)
    memory.store(SIGNS)
    return memory


def _setup() -> hopfield.experiments.Setup:
    return hopfield.experiments.Setup("mine", hopfield.DenseHopfield)


SMALL = {"units": 20, "n": 3, "draws": 2, "cues": 4, "starts": 3, "points": 3, "grid": 3,
         "sweeps": 2, "steps": 2, "repeats": 1, "queries": 2, "max_n": 4}  # fmt: skip
CURVE = {"name": "a", "x": [1.0, 2.0], "y": [1.0, 2.0], "error": None, "kind": "measured"}
GOOD: dict[str, Callable[[], Any]] = {
    **{name: (lambda size=size: size) for name, size in SMALL.items()},
    "patterns": lambda: SIGNS.clone(), "state": lambda: SIGNS[0].clone(),
    "cue": lambda: SIGNS[0].clone(), "known": lambda: SIGNS[0] > 0,
    "values": lambda: torch.arange(3.0), "original": lambda: SIGNS.clone(),
    "recovered": lambda: SIGNS.clone(), "scores": lambda: ROWS.clone(),
    "coupling": lambda: SIGNS.T @ SIGNS / DIM, "potential": lambda: torch.zeros(()),
    "order": lambda: None, "pattern": lambda: SIGNS[0].clone(), "rows": lambda: SIGNS.clone(),
    "memory": lambda: _memory(hopfield.DenseHopfield), "corrupt": lambda: hopfield.corruption.flip,
    "separation": lambda: hopfield.Softmax(2.0), "similarity": lambda: "dot",
    "rule": lambda: "hebbian", "diagonal": lambda: False, "schedule": lambda: "asynchronous",
    "store": hopfield.RamStore, "generator": torch.Generator, "amount": lambda: 0.25,
    "shape": lambda: (2, 4), "dtype": lambda: torch.float64, "n": lambda: 3, "dim": lambda: 8,
    "activity": lambda: 0.25, "correlation": lambda: 0.5, "n_parents": lambda: 2,
    "n_children": lambda: 2, "path": lambda: "file", "name_or_path": lambda: "digits",
    "beta": lambda: 2.0, "alpha": lambda: 1.5, "temperature": lambda: 0.5, "load": lambda: 0.05,
    "degree": lambda: 3, "k": lambda: 2, "count": lambda: 2, "scale": lambda: 1.0,
    "chance": lambda: 0.1, "margin": lambda: 0.5, "distance": lambda: 0.5, "largest": lambda: 1.0,
    "cosine": lambda: 0.5, "flips": lambda: 2, "flipped": lambda: 0.1, "x": lambda: 0.5,
    "setup": _setup, "setups": lambda: [_setup()], "tasks": list, "make": hopfield.DenseHopfield,
    "experiment": lambda: hopfield.experiments.recall, "name": lambda: "mine",
    "configs": lambda: hopfield.experiments.Recall(20, 3, draws=1), "indices": lambda: 0,
    "config": lambda: hopfield.experiments.Recall(20, 3, draws=1), "steps": lambda: 2,
    "association": lambda: nn.HopfieldAssociation(8, 2), "memories": lambda: 3,
    "classes": lambda: 2, "heads": lambda: 2, "inputs": lambda: SIGNS.clone(),
    "tokens": lambda: ROWS[None].clone(), "stored": lambda: ROWS[None].clone(),
    "padding_mask": lambda: torch.zeros(1, COUNT, dtype=torch.bool),
    "association_mask": lambda: torch.zeros(COUNT, COUNT, dtype=torch.bool),
    "state_dict": dict, "arguments": lambda: {"input_size": 4}, "images": lambda: ROWS.sigmoid(),
    "labels": lambda: torch.arange(3), "source": lambda: "here", "split": lambda: "train",
    "curves": lambda: [CURVE], "records": list, "lines": list, "matrix": lambda: [[1.0, 0.0]] * 2,
    "traces": lambda: [[1.0, 0.5]], "bars": lambda: [("a", 0.5, 0.1)], "label": lambda: "a",
    "points": lambda: [("a", 1.0)], "cut": lambda: 0.5, "device": lambda: "cpu",
    "thresholds": lambda: torch.zeros(DIM), "top": lambda: 2, "trace": lambda: True,
    "evidence": lambda: "all", "side": lambda: "left", "gradient": lambda: "implicit",
    "damage": lambda: hopfield.corruption.flip, "cues": lambda: 4, "strangers": lambda: None,
    "folder": lambda: ".", "processes": lambda: 1, "delay": lambda: 2, "seed": lambda: 0,
    "y": lambda: "recalled",
}  # fmt: skip
GOOD_HERE: dict[str, dict[str, Callable[[], Any]]] = {
    "nn.": {"state": lambda: ROWS[None].clone(), "dim": lambda: 8},
    **{kind: {"alpha": lambda: 0.3} for kind in ("Classical", "Dense", "Modern")},
    "theory.": {"patterns": lambda: 5, "units": lambda: 50},
    "SequenceHopfield.": {"values": lambda: SIGNS.clone()},
    "experiments.attractor_census": {"config": lambda: hopfield.experiments.AttractorCensus(
        20, 3, starts=3, draws=1)},
    "experiments.capacity": {"config": lambda: hopfield.experiments.Capacity(20, draws=1, max_n=4)},
    "experiments.energy_path": {"config": lambda: hopfield.experiments.EnergyPath(20, 3, points=3)},
    "experiments.energy_plane": {"config": lambda: hopfield.experiments.EnergyPlane(
        20, 3, grid=3, starts=2, steps=2)},
    "experiments.thermal": {"config": lambda: hopfield.experiments.Thermal(20, 3, draws=1)},
    "experiments.metastable": {"config": lambda: hopfield.experiments.Metastable(20, 3, draws=1)},
    "experiments.speed": {"config": lambda: hopfield.experiments.Speed(20, 3, repeats=1)},
    "plots.": {"x": lambda: [1.0, 2.0], "y": lambda: [1.0, 2.0], "shape": lambda: (1, 2),
               "values": lambda: [0.5, 0.5], "labels": lambda: ("a", "b"),
               "rows": lambda: [("a", [[0, 255]])], "name": lambda: "a", "label": lambda: "a",
               "known": lambda: None, "original": lambda: [[0, 255]], "cue": lambda: [[0, 255]],
               "retrieved": lambda: [[0, 255]]},
}  # fmt: skip
DOORS = (
    "calibrate",
    "store",
    "remove",
    "retrieve",
    "energy",
    "update",
    "to",
    "save",
    "field",
    "roll",
)
"""Public methods of memories; the others are defined by a network, and called by these."""


def _instances() -> dict[str, Callable[[], list[tuple[str, Callable[..., Any]]]]]:
    memories = {
        "ClassicalHopfield": lambda: _memory(hopfield.ClassicalHopfield, rule="pseudo_inverse"),
        "DenseHopfield": lambda: _memory(hopfield.DenseHopfield, beta=2.0),
        "ModernHopfield": lambda: _memory(hopfield.ModernHopfield, similarity="euclidean"),
        "SequenceHopfield": lambda: _sequence(hopfield.Polynomial(3)),
        "ModernHopfield of an empty store": hopfield.ModernHopfield,
        "DenseHopfield of bits": lambda: _memory(hopfield.DenseHopfield,
                                                 store=hopfield.PackedStore()),
    }  # fmt: skip
    objects: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
        name: (make, DOORS) for name, make in memories.items()
    }
    for separation in (hopfield.Softmax(), hopfield.Sparsemax(), hopfield.Entmax(1.3),
                       hopfield.TopK(2), hopfield.Polynomial(2)):  # fmt: skip
        objects[type(separation).__name__] = ((lambda it=separation: it), ("__call__", "potential"))
    association = lambda: nn.HopfieldAssociation(8, 2)  # noqa: E731
    layers = {
        "nn.HopfieldAssociation": association,
        "nn.HopfieldPooling": lambda: nn.HopfieldPooling(association()),
        "nn.HopfieldLookup": lambda: nn.HopfieldLookup(association(), 3),
        "nn.DenseMemoryClassifier": lambda: nn.DenseMemoryClassifier(8, 2, 3),
        "nn.EnergyTransformerBlock": lambda: nn.EnergyTransformerBlock(8, 2, 3),
        "nn.ProductKeyLookup": lambda: nn.ProductKeyLookup(8, 9, 2, 3),
    }
    doors = ("forward", "describe", "energy", "nearest")
    objects |= {name: (make, doors) for name, make in layers.items()}
    dataset = lambda: hopfield.data.Dataset(ROWS.sigmoid(), None, "mine", "here")  # noqa: E731
    objects["data.Dataset"] = (dataset, ("binary", "threshold"))
    objects["experiments.Setup"] = (_setup, ("build",))
    return objects


class Function(NamedTuple):
    """A public function by name, or a method of a fresh object that `make` returns."""

    name: str
    call: Callable[..., Any] | None
    make: Callable[[], Any] | None = None
    method: str = ""

    def bind(self) -> Callable[..., Any]:
        """Return the function; a method is that of a new object."""
        return getattr(self.make(), self.method) if self.make else self.call


def public_functions() -> list[Function]:
    """Return all public callables: of the package, of its public modules, and their methods."""
    found = {}
    for name in hopfield.__all__:
        value = getattr(hopfield, name)
        if not isinstance(value, types.ModuleType):
            found[name] = value
            continue
        own = [k for k, v in vars(value).items()
               if getattr(v, "__module__", "") == value.__name__ and k[0] != "_"]  # fmt: skip
        for member in getattr(value, "__all__", own):
            found.setdefault(f"{name}.{member}", getattr(value, member))
    functions = [
        Function(name, value)
        for name, value in found.items()
        if callable(value) and _has_signature(value) and name not in PARTS_OF_OTHERS | RESULTS
    ]
    with torch.random.fork_rng():  # layers draw their weights
        for name, (make, methods) in _instances().items():
            functions += [
                Function(f"{name}.{method}", None, make, method)
                for method in methods
                if hasattr(make(), method)
            ]
    return functions


def _has_signature(value: Callable[..., Any]) -> bool:
    is_error = isinstance(value, type) and issubclass(value, (Exception, errors.CapacityWarning))
    is_interface = inspect.isabstract(value) or getattr(value, "_is_protocol", False)
    is_code = inspect.isclass(value) or inspect.isroutine(value) or hasattr(value, "function")
    return is_code and not is_error and not is_interface


class Finding(NamedTuple):
    """A call that ended in neither a named error nor a right result."""

    kind: str
    call: str


def draw_arguments(function: Function, chance: random.Random) -> tuple[dict[str, Any], str, bool]:
    """Return arguments, their description, and True if all of them are finite."""
    parameters = inspect.signature(function.bind()).parameters.values()
    named = [
        p
        for p in parameters
        if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
        and (p.name not in ("count", "total") or function.name[:7] == "theory.")
    ]  # inner sums know theirs
    if function.name.startswith("nn.") and function.method:
        named += [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None)
                  for name in ("padding_mask", "association_mask")
                  if any(p.kind is p.VAR_KEYWORD for p in parameters)]  # fmt: skip
    bad = chance.choice(named).name if named else ""
    arguments, texts = {}, []
    for parameter in named:
        name = parameter.name
        is_optional = parameter.default is not parameter.empty
        if name != bad and is_optional and chance.random() < 0.7:
            continue
        good = GOOD.get(name)
        for prefix, table in GOOD_HERE.items():
            good = table.get(name, good) if function.name.startswith(prefix) else good
        if name == bad or good is None or chance.random() < 0.1:
            label = chance.choice([each for each in NASTY if (each, name) not in VALID])
            arguments[name], text = NASTY[label](), label
        else:
            arguments[name], text = good(), "good"
        texts.append(f"{name}={text}")
    return arguments, f"{function.name}({', '.join(texts)})", _is_finite(list(arguments.values()))


def _tensors(value: object, depth: int = 4) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)) and depth:
        for part in value:
            yield from _tensors(part, depth - 1)
    elif isinstance(value, (dict, hopfield.Retrieval, hopfield.Cue, nn.Association)) and depth:
        parts = value if isinstance(value, dict) else vars(value)
        for part in parts.values():
            yield from _tensors(part, depth - 1)


def _is_finite(value: object) -> bool:
    if isinstance(value, float):
        return abs(value) < 1e300
    if isinstance(value, (list, tuple)):
        return all(map(_is_finite, value))
    return all(
        tensor.is_nested or tensor.is_meta or not tensor.is_floating_point()
        or tensor.layout != torch.strided or tensor.is_quantized or tensor.itemsize == 1
        or bool((tensor.abs() < 1e20).all())
        for tensor in _tensors(value) if not torch.nn.parameter.is_lazy(tensor)
    )  # fmt: skip


def _has_nan(value: object) -> bool:
    return any(
        bool(tensor.isnan().any())
        for tensor in _tensors(value)
        if tensor.layout == torch.strided and not tensor.is_meta and tensor.is_floating_point()
        and not tensor.is_nested and not tensor.is_quantized and tensor.itemsize > 1
        and not torch.nn.parameter.is_lazy(tensor)
    )  # fmt: skip


def try_call(function: Function, chance: random.Random) -> Finding | str:
    """Make one bad call, and return its finding, "refused" or "answered"."""
    arguments, text, is_finite = draw_arguments(function, chance)
    called = function.bind()
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", errors.CapacityWarning)
            result = called(**arguments)
            if isinstance(result, hopfield.Retrieval):
                repr(result)
    except errors.HopfieldError:
        return "refused"
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{place.filename.split('site-packages/')[-1].split('src/')[-1]}:{place.lineno}"
        return Finding(f"{type(error).__name__} at {where}: {str(error)[:90]!r}", text)
    if is_finite and _has_nan(result):
        return Finding(f"NaN from {function.name}", text)
    return "answered"


def run(calls: int, seed: int) -> tuple[Counter[str], dict[str, list[Finding]]]:
    """Make so many calls, and return the outcomes and the findings by function."""
    chance, functions = random.Random(seed), public_functions()
    counts: Counter[str] = Counter()
    findings: dict[str, list[Finding]] = {}
    for number in range(calls):
        function = functions[number % len(functions)]
        outcome = try_call(function, chance)
        counts[outcome if isinstance(outcome, str) else "findings"] += 1
        if not isinstance(outcome, str):
            findings.setdefault(f"{function.name}: {outcome.kind}", []).append(outcome)
    return counts, findings


def main() -> int:
    """Run the command."""
    calls, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    torch.set_num_threads(1)
    counts, findings = run(calls, seed)
    for kind, every in sorted(findings.items(), key=lambda item: -len(item[1])):
        print(f"{len(every):5} {kind}\n      {every[0].call}")
    print(f"{calls} calls of {len(public_functions())} functions: {dict(counts)}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
