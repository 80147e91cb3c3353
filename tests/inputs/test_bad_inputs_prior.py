"""Every bad prior is refused by `store`, `set_prior` and the rules, and nothing changes."""

import numpy as np
import pytest
import torch

from bad_inputs import COUNT, DIM, PATTERNS, Bad, cases, judge, judge_unchanged
from hopfield import (
    ClassicalHopfield,
    DenseHopfield,
    Memory,
    ModernHopfield,
    Polynomial,
    Separation,
    rules,
)
from hopfield.errors import (
    DeviceError,
    DomainError,
    EmptyMemoryError,
    InputTypeError,
    OptionError,
    ShapeError,
)
from hopfield.iteration import Reading

ONES = torch.ones(COUNT)


def with_entry(value: float, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Priors with one bad entry."""
    prior = torch.ones(COUNT, dtype=dtype)
    prior[1] = value
    return prior


NUMBERS = [
    ("a string", "2", InputTypeError, ("prior", "'2'")),
    ("bytes", b"2", InputTypeError, ("prior", "bytes")),
    ("True", True, InputTypeError, ("prior", "True")),
    ("complex", 2j, InputTypeError, ("prior", "complex")),
    ("a dict", {0: 1.0}, InputTypeError, ("prior", "dict")),
    ("a set", {1.0, 2.0, 3.0}, InputTypeError, ("prior", "set")),
    ("a function", abs, InputTypeError, ("prior", "function")),
    ("0", 0, DomainError, ("1e-12", "0", "remove it")),
    ("negative", -1.5, DomainError, ("1e-12", "-1.5")),
    ("NaN", float("nan"), DomainError, ("1e-12", "nan")),
    ("infinite", float("inf"), DomainError, ("1e", "inf")),
    ("too small", 1e-13, DomainError, ("1e-12", "1e-13", "clamp_min")),
    ("too large", 1e13, DomainError, ("1e+12", "10000000000000.0")),
    ("a huge number", 10**400, DomainError, ("prior", "float64")),
]
ROWS = [
    ("entry 0", with_entry(0.0), DomainError, ("entry 1 is 0", "remove it")),
    ("entry negative", with_entry(-2.0), DomainError, ("entry 1 is -2",)),
    ("entry NaN", with_entry(torch.nan), DomainError, ("entry 1 is nan",)),
    ("entry infinite", with_entry(torch.inf), DomainError, ("entry 1 is inf",)),
    ("entry too small", with_entry(1e-13), DomainError, ("entry 1 is 1e-13",)),
    ("half precision 0", with_entry(1e-12, torch.float16), DomainError, ("entry 1 is 0",)),
    ("list entry 0", [1.0, 0.0, 2.0], DomainError, ("an entry of prior", "0.0")),
    ("list entry None", [1.0, None, 2.0], InputTypeError, ("an entry of prior", "None")),
    ("list entry a string", [1.0, "2", 2.0], InputTypeError, ("an entry of prior", "'2'")),
    ("list entry True", [1.0, True, 2.0], InputTypeError, ("an entry of prior", "True")),
    ("list of lists", [[1.0], [2.0], [3.0]], InputTypeError, ("an entry of prior", "list")),
    ("array of strings", np.array(["1", "2", "3"]), InputTypeError, ("prior", "numbers")),
    ("array of objects", np.array([1, None, 2]), InputTypeError, ("prior", "numbers")),
    ("array of bool", np.array([True] * COUNT), InputTypeError, ("prior", "bool")),
    ("array of dates", np.zeros(COUNT, "datetime64[D]"), InputTypeError, ("prior", "numbers")),
    ("too few", ONES[:2], ShapeError, (str(COUNT), "(2,)")),
    ("too many", torch.ones(COUNT + 1), ShapeError, (str(COUNT), f"({COUNT + 1},)")),
    ("list too short", [1.0, 2.0], ShapeError, (str(COUNT), "(2,)")),
    ("empty", torch.ones(0), ShapeError, (str(COUNT), "(0,)")),
    ("empty list", [], ShapeError, (str(COUNT), "(0,)")),
    ("a column", ONES[:, None], ShapeError, (f"({COUNT}, 1)", "prior.flatten()")),
    ("a matrix", torch.ones(COUNT, DIM), ShapeError, (f"({COUNT}, {DIM})",)),
    ("bool", ONES.bool(), InputTypeError, ("prior", "bool")),
    ("complex tensor", ONES.cfloat(), InputTypeError, ("prior", "complex64")),
    ("sparse", ONES.to_sparse(), InputTypeError, ("prior", "to_dense")),
    ("on meta", ONES.to("meta"), DeviceError, ("prior", "meta")),
]
BAD = NUMBERS + ROWS


def memory_of(prior=None) -> ModernHopfield:
    """A memory of named patterns."""
    memory = ModernHopfield(2.0)
    memory.store(PATTERNS, names=["a", "b", "c"], prior=prior)
    return memory


def whole(memory: Memory) -> ModernHopfield:
    """Another memory, which must stay empty."""
    return ModernHopfield(2.0)


STORED = [
    Bad(name, lambda m, v=value: m.store(PATTERNS, names=["d", "e", "f"], prior=v), error, shows)
    for name, value, error, shows in BAD
]
SET = [
    Bad(name, lambda m, v=value: m.set_prior(None, v), error, shows)
    for name, value, error, shows in BAD
]
LEARNED = [
    Bad(f"{rule.__name__}: {name}", lambda r=rule, v=value: r(PATTERNS, prior=v), error, shows)
    for rule in (rules.hebbian, rules.covariance)
    for name, value, error, shows in BAD
]
NAMES = [
    ("unknown name", "z", 2.0, DomainError, ("'z'", "not stored")),
    ("a name like a stored one", "aa", 2.0, DomainError, ("'aa'", "'a'")),
    ("two numbers for one name", "a", [1.0, 2.0], ShapeError, ("1 patterns", "(2,)")),
    ("one number too few", ["a", "b"], [2.0, 3.0, 4.0], ShapeError, ("2 patterns", "(3,)")),
    ("no names", [], 2.0, ShapeError, ("names", "at least one")),
    ("the same name twice", ["a", "b", "a"], 2.0, OptionError, ("'a'", "twice")),
    ("the same index twice", [0, -3], 2.0, OptionError, ("indices", "0", "twice")),
    ("an index too large", 3, 2.0, DomainError, ("indices", "3")),
    ("an index too small", -4, 2.0, DomainError, ("indices", "-4")),
    ("a float", 1.0, 2.0, InputTypeError, ("names", "1.0")),
    ("floats", [0.0, 1.0], 2.0, InputTypeError, ("0.0",)),
    ("True", True, 2.0, InputTypeError, ("True",)),
    ("a mask", torch.tensor([True, False, True]), 2.0, InputTypeError, ("True",)),
    ("names and indices", ["a", 1], 2.0, InputTypeError, ("'a'", "1")),
    ("a matrix", torch.zeros(2, 2, dtype=torch.long), 2.0, ShapeError, ("(2, 2)",)),
    ("a dict", {"a": 2.0}, 2.0, InputTypeError, ("names", "dict")),
    ("a function", len, 2.0, InputTypeError, ("names", "builtin_function")),
]
NAMED = [
    Bad(f"names: {name}", lambda m, n=names, v=value: m.set_prior(n, v), error, shows)
    for name, names, value, error, shows in NAMES
]


@cases(STORED, at_least=40)
def test_store_refuses_bad_priors(case):
    judge_unchanged(case, memory_of())


@cases(SET, NAMED, at_least=56)
def test_set_prior_refuses_bad_arguments(case):
    memory = memory_of([1.0, 2.0, 3.0])
    judge_unchanged(case, memory)
    assert memory.prior.tolist() == [1.0, 2.0, 3.0]


@cases(LEARNED)
def test_rules_refuse_bad_priors(case):
    judge(case)


class Own(Separation):
    """A separation without priors."""

    def potential(self, scores):
        """F(s)."""
        return scores.logsumexp(-1)

    def __call__(self, scores):
        """The weights."""
        return scores.softmax(-1)


class Network(Memory):
    """A network without priors."""

    def step(self, state, known, held, generator):
        """Keep the state."""
        return Reading(state)

    def energy_of(self, state):
        """None."""

    def config(self):
        """Nothing."""
        return {}


WITHOUT = {
    "pseudo_inverse": (lambda: ClassicalHopfield("pseudo_inverse"), ("'hebbian'", "covariance")),
    "storkey": (lambda: ClassicalHopfield("storkey"), ("'hebbian'", "covariance")),
    "own": (lambda: ModernHopfield(separation=Own()), ("Own.takes_prior", "(scores, prior)")),
    "own dense": (lambda: DenseHopfield(separation=Own()), ("Own.takes_prior",)),
    "network": (Network, ("takes_prior", "Network")),
}


@pytest.mark.parametrize("name", WITHOUT)
def test_networks_without_priors_refuse_them_by_name(name):
    make, shows = WITHOUT[name]
    empty, full = make(), make()
    judge(Bad(name, lambda: empty.store(PATTERNS, prior=2.0), OptionError, shows))
    assert not len(empty)
    full.store(PATTERNS)
    judge_unchanged(Bad(name, lambda m: m.set_prior(None, 2.0), OptionError, shows), full)


@pytest.mark.parametrize("make", [lambda s: ModernHopfield(separation=Own(), store=s)])
def test_a_separation_without_priors_refuses_a_store_that_has_some(make):
    other = make(memory_of([1.0, 2.0, 3.0]).storage)
    judge(Bad("shared", lambda: other.retrieve(PATTERNS), OptionError, ("Own", "prior")))


def test_a_rule_without_priors_refuses_a_store_that_has_some():
    source = ClassicalHopfield()
    source.store(PATTERNS, prior=2.0)
    other = ClassicalHopfield("storkey", store=source.storage)
    judge(Bad("shared", lambda: other.update(PATTERNS), OptionError, ("storkey", "hebbian")))


def test_an_empty_memory_has_no_priors():
    judge(Bad("empty", lambda: ModernHopfield().set_prior(None, 2.0), EmptyMemoryError, ("store",)))
    assert ModernHopfield().prior is None


def test_priors_count_for_the_largest_degree():
    memory = DenseHopfield(separation=Polynomial(30))
    memory.store(PATTERNS)
    judge_unchanged(
        Bad("set", lambda m: m.set_prior(None, 1e12), DomainError, ("degree", "30")), memory
    )
    judge_unchanged(
        Bad("store", lambda m: m.store(PATTERNS, prior=1e12), DomainError, ("degree",)), memory
    )


def test_forms_of_priors():
    expected = [1.0, 2.0, 3.0]
    for prior in (
        [1, 2, 3],
        (1.0, 2.0, 3.0),
        np.array([1, 2, 3], dtype=np.uint8),
        torch.tensor([1, 2, 3], dtype=torch.int8),
        torch.tensor([1, 2, 3], dtype=torch.float16, requires_grad=True),
        (float(k) for k in (1, 2, 3)),
        [np.float32(1), torch.tensor(2), np.int64(3)],
    ):
        assert memory_of(prior).prior.tolist() == expected
    assert memory_of(np.float64(2)).prior.tolist() == [2.0] * COUNT
    assert memory_of(torch.tensor(2)).prior.tolist() == [2.0] * COUNT


def test_priors_are_copied():
    prior = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    memory = memory_of(prior)
    prior[:] = 7.0
    assert memory.prior.tolist() == [1.0, 2.0, 3.0]
    memory.set_prior(None, prior)
    prior[:] = 8.0
    assert memory.prior.tolist() == [7.0] * COUNT
