"""Every argument of `calibrate` goes through its check; after an error the memory is as before."""

import numpy as np
import pytest
import torch

from bad_inputs import Bad, as_users_see_it, cases, judge
from calibrating import hide, noise, normal, seeded, signs
from hopfield import ClassicalHopfield, Cue, DenseHopfield, ModernHopfield, corruption
from hopfield.errors import (
    DeviceError,
    DomainError,
    EmptyMemoryError,
    InputTypeError,
    OptionError,
    ShapeError,
)

ROWS, SIGNS = normal(24, 12, 1), signs(24, 64, 1)
FRESH = normal(30, 12, 2)
FORM = "(patterns, generator=…)"


def calling(damage=noise, alpha=0.1, **options):
    return lambda memory: memory.calibrate(damage, alpha, **options)


def returning(result):
    return calling(lambda patterns, generator: result)


def stranger(strangers):
    return calling(strangers=strangers)


def no_arguments():
    return None


def broken(patterns, generator):
    raise ZeroDivisionError


DAMAGES = [
    *(
        Bad(f"damage: {name}", calling(value), InputTypeError, ("damage", FORM))
        for name, value in {
            "text": "noise",
            "a number": 0.3,
            "a tensor": ROWS,
            "a cue": Cue(ROWS),
            "a list": [noise],
            "True": True,
            "a module": corruption,
            "without arguments": no_arguments,
            "three arguments": lambda a, b, c: a,
            "another keyword": lambda patterns, *, seed: patterns,
        }.items()
    ),
    *(
        Bad(f"no amount: {function.__name__}", calling(function), OptionError, ("amount=", name))
        for function, name in [
            (corruption.gaussian_noise, "gaussian_noise"),
            (corruption.occlude_random, "occlude_random"),
            (corruption.flip, "flip"),
        ]
    ),
    Bad("amount as alpha", lambda m: m.calibrate(corruption.gaussian_noise, 0.2), OptionError,
        ("amount=",)),
    Bad("amount: none taken", calling(noise, amount=0.3), InputTypeError,
        ("damage", "(patterns, amount, generator=…)")),
    Bad("amount: above 1", calling(corruption.occlude_random, amount=2), DomainError,
        ("amount", "between 0 and 1", "2")),
    Bad("amount: text", calling(corruption.occlude_random, amount="half"), InputTypeError,
        ("amount", "'half'")),
    *(
        Bad(f"damage returns {name}", returning(value), InputTypeError, ("damage", "Cue"))
        for name, value in {"None": None, "a list": ROWS.tolist(), "an array": ROWS.numpy(),
                            "a pair": (ROWS, None), "a number": 1.0}.items()
    ),
    Bad("damage returns whole numbers", returning(ROWS.long()), InputTypeError, ("int64",)),
    Bad("damage returns NaN", returning(ROWS * torch.nan), DomainError, ("NaN",)),
    Bad("damage returns infinity", returning(ROWS / 0), DomainError, ("infinity",)),
    Bad("damage returns other entries", returning(ROWS[:, :5]), ShapeError, ("(24, 5)",)),
    Bad("damage returns fewer rows", returning(ROWS[:9]), ShapeError, ("(24, 12)", "(9, 12)")),
    Bad("damage returns one row", returning(ROWS[0]), ShapeError, ("(24, 12)", "(12,)")),
    Bad("damage returns a cue of other rows", returning(Cue(ROWS[:9])), ShapeError, ("(9, 12)",)),
    Bad("damage returns a tensor of no device", returning(ROWS.to("meta")), DeviceError, ("meta",)),
]  # fmt: skip

NUMBERS = [
    *(
        Bad(f"alpha: {value!r}", calling(alpha=value), InputTypeError, ("alpha",))
        for value in ("0.05", None, True, [0.05], 1j, np.array([0.1]))
    ),
    Bad("alpha: a tensor", calling(alpha=torch.tensor(0.05)), InputTypeError, ("alpha", ".item()")),
    *(
        Bad(f"alpha: {value!r}", calling(alpha=value), DomainError, ("alpha", shown))
        for value, shown in [(0, "0"), (1, "1"), (-0.1, "-0.1"), (5, "5"), (float("nan"), "nan"),
                             (float("inf"), "inf"), (0.01, "1/(n + 1)"), (1e-300, "0.04")]
    ),
    *(
        Bad(f"cues: {value!r}", calling(cues=value), InputTypeError, ("cues",))
        for value in (2.5, "20", None, True, torch.tensor(20))
    ),
    *(
        Bad(f"cues: {value!r}", calling(cues=value), DomainError, (shown,))
        for value, shown in [(0, "cues"), (-3, "cues"), (5, "n = 5 strangers")]
    ),
    *(
        Bad(f"generator: {value!r:.12}", calling(generator=value), InputTypeError, ("generator",))
        for value in (1, "seed", torch.manual_seed, np.random.default_rng(0))
    ),
]  # fmt: skip

STRANGERS = [
    *(
        Bad(f"strangers: {name}", stranger(value), InputTypeError, ("strangers",))
        for name, value in {"a list": FRESH.tolist(), "an array": FRESH.numpy(), "a number": 30,
                            "whole numbers": FRESH.long(), "a function": noise,
                            "bools": FRESH > 0, "text": "all"}.items()
    ),
    *(
        Bad(f"strangers: {name}", stranger(value), ShapeError, ("strangers", shown))
        for name, value, shown in [
            ("one row", FRESH[0], "strangers[None]"),
            ("three axes", FRESH[None], "(1, 30, 12)"),
            ("none", FRESH[:0], "(0, 12)"),
            ("other entries", FRESH[:, :5], "dim=12"),
            ("a cue of other entries", Cue(FRESH[:, :5]), "dim=12"),
            ("a cue of one row", Cue(FRESH[0]), "(12,)"),
        ]
    ),
    Bad("strangers: NaN", stranger(FRESH * torch.nan), DomainError, ("strangers", "NaN")),
    Bad("strangers: infinity", stranger(FRESH / 0), DomainError, ("strangers", "infinity")),
    Bad("strangers: stored", stranger(ROWS), DomainError, ("strangers", "24 are", "number 0")),
    Bad("strangers: one stored", stranger(torch.cat([FRESH, ROWS[3:4]])), DomainError,
        ("strangers", "1 are", "number 30")),
    Bad("strangers: too few", stranger(FRESH[:3]), DomainError, ("n = 3 strangers", "0.25")),
    Bad("strangers: on no device", stranger(FRESH.to("meta")), DeviceError, ("strangers", "meta")),
]  # fmt: skip

NAMES = [
    Bad(f"argument {name}", calling(**{name: 1}), OptionError, (name, shown))
    for name, shown in [("level", "calibrate"), ("rng", "generator="), ("stranger", "strangers="),
                        ("beta", "ModernHopfield(beta=…)"), ("cue", "cues="), ("known", "retrieve"),
                        ("seed", "takes")]
]  # fmt: skip


def test_the_tables_are_long():
    assert len(DAMAGES + NUMBERS + STRANGERS + NAMES) >= 60


@cases(DAMAGES, NUMBERS, STRANGERS, NAMES, at_least=60)
def test_a_bad_argument_is_refused_and_the_calibration_stays(case):
    memory = ModernHopfield(8.0, similarity="euclidean")
    memory.store(ROWS)
    before = memory.calibrate(hide, 0.2)
    cue = hide(FRESH, seeded(1))
    p_value = memory.retrieve(cue).p_value
    judge(case, memory)
    assert memory.calibration is before
    assert memory.retrieve(cue).p_value.equal(p_value)


BINARY = [
    Bad("damage that is not binary", calling(noise), DomainError, ("−1", "+1")),
    Bad("strangers that are not binary", stranger(FRESH @ normal(12, 64, 3)), DomainError,
        ("strangers", "−1 or +1")),
    Bad("strangers: 0 and 1", calling(None, strangers=(signs(30, 64, 2) > 0).float()), DomainError,
        ("2 * strangers - 1",)),
]  # fmt: skip


@pytest.mark.parametrize("network", [ClassicalHopfield, DenseHopfield])
@cases(BINARY)
def test_binary_memories_take_signs(case, network):
    memory = network()
    memory.store(SIGNS[:8])
    judge(case, memory)
    assert memory.calibration is None


def test_an_empty_memory_cannot_be_calibrated():
    for memory in (ModernHopfield(), DenseHopfield()):
        judge(Bad("empty", calling(), EmptyMemoryError, ("store(patterns)",)), memory)


def test_an_error_of_the_damage_itself_passes():
    memory = ModernHopfield(8.0, similarity="euclidean")
    memory.store(ROWS)
    with as_users_see_it(), pytest.raises(ZeroDivisionError):
        memory.calibrate(broken)


def test_a_damage_that_changes_the_memory_is_refused():
    memory = ModernHopfield(8.0, similarity="euclidean")
    memory.store(ROWS)

    def change(patterns):
        memory.remove(0)
        return patterns

    with as_users_see_it(), pytest.raises(OptionError, match="while it is read"):
        memory.calibrate(change)
    assert len(memory) == 24 and memory.calibration is None


def test_a_damage_that_writes_to_its_patterns_changes_nothing_stored():
    memory, strangers = ModernHopfield(8.0, similarity="euclidean"), FRESH.clone()
    memory.store(ROWS)
    first = memory.calibrate(lambda x: x.mul_(0.9), 0.1, strangers=strangers)
    assert memory.patterns.equal(ROWS) and strangers.equal(FRESH)
    memory.store(normal(1, 12, 9))
    memory.remove(24)
    assert memory.calibration.strangers.equal(first.strangers)
