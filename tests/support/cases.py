"""The table of the contract suite: every memory, its promises, and input for it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from zlib import crc32

import pytest
import torch
from torch import Tensor

from hopfield import (
    ClassicalHopfield,
    DenseHopfield,
    Entmax,
    Epanechnikov,
    KSubsets,
    Memory,
    ModernHopfield,
    Normmax,
    Polynomial,
    RectifiedPolynomial,
    Separation,
    Softmax,
    Sparsemax,
    TopK,
)
from hopfield.rules import RULES, Perceptron
from hopfield.stores import PackedStore
from pair_cases import pair_cases

DIM = 24
HALF = (torch.float16, torch.bfloat16)
FULL = (torch.float32, torch.float64)


@dataclass(frozen=True)
class Case:
    """A memory and its promises.

    Attributes:
        name: what pytest prints.
        make: an empty memory.
        kind: "classical", "dense", "pairs" (of ±1) or "modern".
        descends: whether the energy never rises from a cue without unknown entries.
        beta: what multiplies scores in an exponential; 0 where nothing does.
        thermal: whether the dynamics draws noise for each query.
        ordered: whether the rule depends on the order of storage.
        has_energy: False where W is not symmetric.
        backend: the one it is computed by; None leaves the choice to the library.
        has_prior: whether patterns count as often as `prior_of` says.
        recalls: whether patterns are fixed points at low load, not means of several.
        has_ties: whether a mean of two patterns, where both score the same, is a fixed point.
    """

    name: str
    make: Callable[[], Memory]
    kind: str
    descends: bool
    beta: float = 0.0
    thermal: bool = False
    ordered: bool = False
    has_energy: bool = True
    backend: str | None = None
    has_prior: bool = False
    recalls: bool = True
    has_ties: bool = False

    @property
    def binary(self) -> bool:
        """True if patterns are ±1."""
        return self.kind != "modern"

    @property
    def has_weights(self) -> bool:
        """True if a separation weighs the patterns."""
        return getattr(self.make(), "separation", None) is not None

    @property
    def similarity(self) -> str:
        """Similarity of the memory, by name."""
        return getattr(self.make(), "similarity", "dot")


def _classical() -> Iterator[Case]:
    for rule, schedule, diagonal in product(RULES, ("asynchronous", "synchronous"), (False, True)):
        if diagonal and rule == "perceptron":
            continue  # its diagonal is 0
        keeps = diagonal and rule != "storkey"  # these couplings are positive semidefinite
        yield Case(
            f"{rule}-{schedule}" + "-diagonal" * diagonal,
            lambda rule=rule, schedule=schedule, diagonal=diagonal: ClassicalHopfield(
                rule, schedule=schedule, diagonal=diagonal
            ),
            "classical",
            descends=rule != "perceptron" and (keeps or schedule == "asynchronous"),
            ordered=rule == "storkey",
            has_energy=rule != "perceptron",
        )
    for schedule in ("asynchronous", "synchronous"):
        yield Case(
            f"perceptron-symmetric-{schedule}",
            lambda schedule=schedule: ClassicalHopfield(
                Perceptron(0.2, symmetric=True), schedule=schedule
            ),
            "classical",
            descends=schedule == "asynchronous",
        )
    yield Case(
        "hebbian-thresholds",
        lambda: ClassicalHopfield(thresholds=torch.linspace(-0.125, 0.125, DIM)),
        "classical",
        descends=True,
    )
    yield Case(
        "hebbian-thermal", lambda: ClassicalHopfield(temperature=0.3), "classical", False, 0.0, True
    )


def _dense() -> Iterator[Case]:
    separations: list[tuple[str, Separation, float]] = [
        ("softmax", Softmax(0.2), 0.2),
        ("softmax-sharp", Softmax(5.0), 5.0),
        ("polynomial2", Polynomial(2), 0.0),
        ("polynomial3", Polynomial(3), 0.0),
        ("rectified3", RectifiedPolynomial(3), 0.0),
    ]
    schedules = ("synchronous", "asynchronous")
    for (name, separation, beta), schedule in product(separations, schedules):
        yield Case(
            f"dense-{name}-{schedule}",
            lambda separation=separation, schedule=schedule: DenseHopfield(
                separation=separation, schedule=schedule
            ),
            "dense",
            descends=schedule == "asynchronous",
            beta=beta,
        )


SHARPNESS = {"dot": 1.2, "euclidean": 1.2, "cosine": 30.0, "correlation": 30.0, "manhattan": 1.2}
"""β at which the patterns below are attractors, and cues take several steps; not 1, which hides."""


def _modern() -> Iterator[Case]:
    separations: dict[str, Callable[[float], Separation]] = {
        "softmax": Softmax,
        "sparsemax": lambda beta: Sparsemax(beta / 4),
        "entmax": lambda beta: Entmax(1.5, beta / 2),
        "topk": lambda beta: TopK(3, beta),
        "normmax": lambda beta: Normmax(2.0, beta / 4),
        "ksubsets": lambda beta: KSubsets(3, beta / 8),
    }
    for (name, separation), similarity in product(separations.items(), SHARPNESS):
        beta = SHARPNESS[similarity]
        yield Case(
            f"{name}-{similarity}",
            lambda make=separation, beta=beta, similarity=similarity: ModernHopfield(
                separation=make(beta), similarity=similarity
            ),
            "modern",
            descends=similarity in ("dot", "euclidean"),
            beta=beta,
            recalls=name != "ksubsets",
        )
    for similarity in ("euclidean", "cosine"):
        yield Case(
            f"auto-{similarity}",
            lambda similarity=similarity: ModernHopfield("auto", similarity=similarity),
            "modern",
            descends=similarity == "euclidean",
            beta=SHARPNESS[similarity],  # about the one that fits these patterns
        )
    for similarity in ("dot", "euclidean"):  # conftest.py has them scan even such small memories
        yield Case(
            f"softmax-{similarity}-certified",
            lambda similarity=similarity: ModernHopfield(
                SHARPNESS[similarity], similarity=similarity, precision="certified"
            ),
            "modern",
            descends=True,
            beta=SHARPNESS[similarity],
        )


def _kernels() -> Iterator[Case]:
    yield Case(
        "epanechnikov-euclidean",
        lambda: ModernHopfield(separation=Epanechnikov(0.1)),
        "modern",
        descends=True,
        beta=0.1,
        has_ties=True,
    )


def _packed() -> Iterator[Case]:
    for schedule in ("synchronous", "asynchronous"):
        yield Case(
            f"hebbian-{schedule}-bits",
            lambda schedule=schedule: ClassicalHopfield(schedule=schedule, store=PackedStore()),
            "classical",
            descends=schedule == "asynchronous",
        )
        yield Case(
            f"dense-softmax-{schedule}-bits",
            lambda schedule=schedule: DenseHopfield(0.2, schedule=schedule, store=PackedStore()),
            "dense",
            descends=schedule == "asynchronous",
            beta=0.2,
        )


WITHOUT_PRIOR = [*_classical(), *_dense(), *_packed(), *_modern(), *_kernels(), *pair_cases(Case)]
WEIGHTED = (
    *("hebbian-asynchronous", "covariance-synchronous-diagonal", "hebbian-synchronous-bits"),
    *("dense-softmax-synchronous", "dense-polynomial3-asynchronous"),
    *("softmax-dot", "softmax-euclidean", "entmax-euclidean", "topk-dot", "sparsemax-cosine"),
    *("softmax-euclidean-certified", "pairs-softmax", "pairs-rectified3"),
    *("normmax-euclidean", "ksubsets-dot", "epanechnikov-euclidean"),
)
PLAIN = WITHOUT_PRIOR + [
    replace(case, name=f"prior-{case.name}", has_prior=True)
    for case in WITHOUT_PRIOR
    if case.name in WEIGHTED
]
# By kernels too what is swept unit by unit, packed, or has weights that are sought; elsewhere there
# are none.
KERNELS = ("-asynchronous", "-bits", "-thresholds", "-thermal", "sparsemax-", "entmax-")
FUSED = [
    replace(case, name=f"{case.name}-fused", backend="fused")
    for case in PLAIN
    if any(part in case.name for part in KERNELS)
]
CASES = PLAIN + FUSED
DETERMINISTIC = [case for case in CASES if not case.thermal]
WITH_ENERGY = [case for case in CASES if case.has_energy]
RECALLING = [case for case in DETERMINISTIC if case.recalls]
DESCENDING = [case for case in CASES if case.descends]
MODERN = [case for case in CASES if case.kind == "modern"]


def _one_backend(cases: list[Case], test: str) -> list[Case]:
    """Of the two cases that differ in their backend only, one, by the name of the test."""
    chosen = {}
    for case in cases:
        name = case.name.removesuffix("-fused")
        if name not in chosen or crc32(f"{test} {name}".encode()) % 2:
            chosen[name] = case
    return list(chosen.values())


def over(cases: list[Case]) -> Callable[[Callable], Callable]:
    """Run a test for each of the cases, by one of its backends."""

    def parametrized(test: Callable) -> Callable:
        chosen = _one_backend(cases, test.__name__)
        return pytest.mark.parametrize("case", chosen, ids=lambda case: case.name)(test)

    return parametrized


def over_dtypes(*dtypes: torch.dtype) -> pytest.MarkDecorator:
    """Run a test for each of the dtypes."""
    return pytest.mark.parametrize("dtype", dtypes, ids=lambda dtype: str(dtype)[6:])


def in_turn(
    cases: list[Case], start: int = 0, dtypes: tuple[torch.dtype, ...] = (*HALF, *FULL)
) -> Callable[[Callable], Callable]:
    """Run a test for each of the cases, each in another dtype than the one before it.

    Tests that start at 0, 1, 2 and 3 meet every case in every dtype. A case and its neighbour four
    places on, which often differ in one option only, have different dtypes too.
    """
    count = len(dtypes)

    def parametrized(test: Callable) -> Callable:
        chosen = _one_backend(cases, test.__name__)
        turns = [dtypes[(start + at + at // count) % count] for at in range(len(chosen))]
        pairs = list(zip(chosen, turns, strict=True))
        names = [f"{str(dtype)[6:]}-{case.name}" for case, dtype in pairs]
        return pytest.mark.parametrize(("case", "dtype"), pairs, ids=names)(test)

    return parametrized


every_memory = over(CASES)
every_deterministic_memory = over(DETERMINISTIC)


def seeded(seed: int) -> torch.Generator:
    """Make a seeded generator."""
    return torch.Generator().manual_seed(seed)


def signs(*shape: int, generator: torch.Generator, dtype: torch.dtype = torch.float32) -> Tensor:
    """Random ±1."""
    return torch.where(torch.rand(shape, generator=generator) < 0.5, 1.0, -1.0).to(dtype)


def random_patterns(case: Case, n: int, dtype: torch.dtype, seed: int = 0) -> Tensor:
    """Rows of ±1, or of normal numbers, whose norms differ."""
    generator = seeded(seed)
    if case.binary:
        return signs(n, DIM, generator=generator, dtype=dtype)
    return torch.randn(n, DIM, generator=generator).to(dtype)


def patterns_and_cues(
    case: Case, dtype: torch.dtype, n: int = 5, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Patterns, and a stored one, damaged ones and mixtures as cues."""
    generator = seeded(seed + 1000)
    patterns = random_patterns(case, n, dtype, seed)
    some = torch.arange(5)
    first, second = patterns[some % n], patterns[(some + 1) % n]
    mixing = torch.linspace(0.0, 0.5, 5)[:, None]
    if case.binary:
        swapped = torch.rand(first.shape, generator=generator) < mixing
        cues = torch.where(swapped, second, first)
        return patterns, torch.cat([cues, signs(1, DIM, generator=generator, dtype=dtype)])
    noise = torch.randn(first.shape, generator=generator)
    cues = first.float() * (1 - mixing) + second.float() * mixing + mixing * noise
    return patterns, torch.cat([cues, torch.randn(1, DIM, generator=generator)]).to(dtype)


def random_masks(*shape: int, seed: int = 0) -> Tensor:
    """About half of the entries known, differently for each row."""
    return torch.rand(shape, generator=seeded(seed + 2000)) < 0.5


def filled(
    case: Case, patterns: Tensor, values: Tensor | None = None, whole: Tensor | None = None
) -> Memory:
    """A memory that holds the patterns; `whole` are the patterns of which these are a part."""
    memory = case.make()
    memory.store(patterns, values=values, **brought(case, patterns if whole is None else whole))
    return memory


def brought(case: Case, patterns: Tensor) -> dict[str, Tensor]:
    """The prior of these patterns, whatever their places: from ½ to 2½."""
    return {"prior": 0.5 + 2 * (patterns > 0).double().mean(-1)} if case.has_prior else {}


def shares_of(separation: Separation, scores: Tensor, **prior: Tensor) -> Tensor:
    """The weights over their sum, by which values and patterns are averaged; NaN if all are 0."""
    weights = separation(scores, **prior).abs()
    return weights / weights.sum(-1, keepdim=True)


def computing(dtype: torch.dtype) -> torch.dtype:
    """The precision a memory of this dtype computes in."""
    return torch.promote_types(dtype, torch.float32)


def kappa(case: Case, patterns: Tensor, state: Tensor) -> Tensor:
    """κ = 1 + β·M·max(M, ‖x‖): how much rounding of the scores grows.

    The pseudo-inverse depends on the span of the rows: its κ is their condition number.
    """
    rows = patterns.double()
    if "pseudo_inverse" in case.name:
        return torch.linalg.cond(rows).expand(state.shape[:-1])
    largest = rows.norm(dim=-1).max()
    return 1 + case.beta * largest * torch.maximum(largest, state.double().norm(dim=-1))


def energy_slack(case: Case, patterns: Tensor, state: Tensor, energy: Tensor, eps: float) -> Tensor:
    """8 eps·κ·max(|F|, ½‖x‖², ½M²)."""
    largest = patterns.double().norm(dim=-1).max().square() / 2
    own = state.double().square().sum(-1) / 2
    potential = energy.double().abs()
    if case.kind == "modern" and case.similarity == "dot":
        potential = (own + largest - energy.double()).abs()
    scale = torch.maximum(potential, torch.maximum(own, largest))
    return 8 * eps * kappa(case, patterns, state) * scale


def state_slack(case: Case, patterns: Tensor, state: Tensor) -> Tensor:
    """16 eps·κ·M, eps of the state's dtype; 0 for ±1, which rounding must not turn."""
    if case.binary:
        return torch.zeros(state.shape[:-1], dtype=torch.float64)
    largest = patterns.double().norm(dim=-1).max()
    return 16 * torch.finfo(state.dtype).eps * kappa(case, patterns, state) * largest
