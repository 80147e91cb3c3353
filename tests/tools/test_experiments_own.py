"""Experiments on a network of a user: what its memory needs, several measures, parameters."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
import torch

import hopfield
from experiment_cases import HEBB, SMALL, Nearest
from hopfield import experiments, metrics, synthetic
from hopfield.errors import HopfieldError, InputTypeError, OptionError, ShapeError
from hopfield.experiments import (
    AttractorCensus,
    Capacity,
    EnergyPlane,
    Recall,
    Setup,
    Thermal,
    attractor_census,
    capacity,
    energy_path,
    energy_plane,
    generator,
    recall,
    sweep,
    thermal,
)
from hopfield.iteration import Reading


class Directed(hopfield.Memory):
    """A network without an energy: every state is followed by the first pattern."""

    def step(self, state, known, held, generator):
        return Reading(self.storage.rows[:1].expand_as(state).clone())

    def energy_of(self, state):
        return None

    def config(self):
        return {}


@pytest.mark.parametrize(("block", "config"), SMALL)
def test_only_blocks_on_energies_need_one(block, config):
    class Bare:
        store, retrieve = Nearest.store, Nearest.retrieve
        update = Nearest.update

    for make in (Bare, Directed):
        setup = Setup("bare", make)
        if block in (energy_plane, energy_path):
            with pytest.raises(HopfieldError, match=r"Bare lacks energy|Directed has no energy"):
                block(config, setup)
        else:
            assert block(config, setup)["memory"] == make.__name__
    assert recall(Recall(60, 1), Setup("directed", Directed))["recalled"] == 1


def test_a_memory_that_lacks_a_method_is_refused():
    with pytest.raises(InputTypeError, match=r"must have store, retrieve here, .* lacks retrieve"):
        recall(Recall(), Setup("half", lambda: SimpleNamespace(store=print)))
    half = Setup("half", lambda **options: SimpleNamespace(store=print, retrieve=print))
    with pytest.raises(InputTypeError, match="lacks energy, update"):
        energy_plane(EnergyPlane(), half)
    with pytest.raises(InputTypeError, match="lacks update"):
        thermal(Thermal(), half)


def test_several_measures_are_one_field_each_and_the_first_decides():
    both = {"right": metrics.hamming_accuracy, "exact": metrics.exact_recall}
    config = Recall(100, 12, draws=3)
    line = recall(config, replace(HEBB, measure=both))
    for name, measure in both.items():
        alone = recall(config, replace(HEBB, measure=measure))
        assert line[name] == alone["recalled"] and line[f"{name}_sd"] == alone["recalled_sd"]
    assert line["right"] > line["exact"] > 0, "premise: they differ"
    assert line["measure"] == ["right=hamming_accuracy", "exact=exact_recall"]
    assert "recalled" not in line and line["overlap_sd"] > 0
    first, last = (
        capacity(Capacity(60, 0.9, draws=2), replace(HEBB, measure=dict(order)))["n"]
        for order in (both.items(), reversed(both.items()))
    )
    assert first > last > 0
    own = recall(config, replace(HEBB, measure={"overlap": metrics.exact_recall}))
    assert own["overlap"] == line["exact"], "a measure replaces a result of its name"
    with pytest.raises(OptionError, match="results must not have names of other fields: n"):
        recall(config, replace(HEBB, measure={"n": metrics.exact_recall}))


def test_a_measure_returns_one_number_per_state():
    with pytest.raises(ShapeError, match=r"must return one number per state.*\(10,\)"):
        recall(Recall(), replace(HEBB, measure=lambda x, y: x == y))


def returns(value):
    """A memory whose `retrieve` returns this."""
    return type("Mine", (Nearest,), {"retrieve": lambda self, cue: value})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"make": returns(None)},
            r"Mine.retrieve must return .*`state` .*\(10, 100\), but its state is None",
        ),
        ({"make": returns(torch.ones(10, 100))}, "state is None"),
        ({"make": returns(SimpleNamespace(state=3))}, "but its state is 3"),
        ({"corrupt": lambda rows, amount, generator: 3}, "corrupt must return a Cue, .* 3"),
        ({"corrupt": lambda: 3}, r"corrupt must be a function of \(patterns, amount\b.*"),
        ({"patterns": lambda n: 3}, r"patterns must be a function of \(n, dim, generator=…\)"),
        (
            {"patterns": lambda n, dim, generator: torch.ones(1, dim)},
            r"<lambda> must return patterns of shape \(10, 100\), but returned .*\(1, 100\)",
        ),
        ({"measure": lambda x: x}, r"measure must be a function of \(originals, states\)"),
        (
            {"measure": lambda x, y: y[:, 0] * torch.nan},
            "values of <lambda> must be finite and .*nan",
        ),
        (
            {"measure": lambda x, y: y[:, 0] / 0},
            "values of <lambda> must be finite and .*(inf|nan)",
        ),
    ],
)
def test_what_the_parts_of_a_setup_return_is_named(changes, said):
    with pytest.raises(HopfieldError, match=said):
        recall(Recall(), replace(HEBB, **changes))


@pytest.mark.parametrize(
    ("block", "config"),
    [(energy_plane, EnergyPlane(16, 3)), (attractor_census, AttractorCensus(16, 5))],
)
def test_every_block_checks_the_patterns_it_draws(block, config):
    def growing(n, dim, generator):
        return torch.ones(n, dim + (n != 5))

    with pytest.raises(ShapeError, match=r"growing must return patterns of shape \(\d+, 16\)"):
        block(config, replace(HEBB, patterns=growing))


def test_damage_needs_no_generator_and_half_no_amount_and_may_return_states():
    def flipped(rows, amount):
        return hopfield.corruption.flip(rows, amount).state

    config, half = Recall(draws=2), hopfield.corruption.occlude_half
    assert recall(config, replace(HEBB, corrupt=flipped))["recalled"] > 0.8
    for corrupt in (half, partial(half, shape=(10, 10), side="left")):
        setup, rows = replace(HEBB, corrupt=corrupt), synthetic.random_binary(3, 100)
        assert setup.damaged(rows, 0.1, generator(0)).known.sum(-1).tolist() == [50, 50, 50]
        assert recall(config, setup)["recalled"] > 0.8
    asked = []
    recall(config, replace(HEBB, corrupt=lambda *given, **_: asked.append(given[1]) or given[0]))
    assert asked == [0.1, 0.1]


def test_a_block_takes_config_and_setup():
    with pytest.raises(InputTypeError, match=r"<lambda> must take \(config, setup\), but takes"):
        experiments.plan(lambda config: {}, Recall(), HEBB)


def line_with(value):
    return {"experiment": "mine", "n": 3, "found": value}


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (3, "mine must return a record or several, .* but returned 3"),
        (None, "but returned None"),
        (torch.ones(3), r"but returned a tensor of shape \(3,\)"),
        ([line_with(1), 7], "but returned 7"),
        ({"n": 3}, "with a field 'experiment', but returned a dict"),
        (line_with(torch.nan), "'found' of a record of mine must be .* is nan: .*not JSON"),
        ([line_with(1), line_with([1, torch.inf])], "'found' .*: .*not JSON compliant"),
        (line_with(torch.ones(2)), "'found' .* is a tensor of shape .*: .*Tensor is not JSON"),
        (line_with({1}), "'found' .* is a set: "),
    ],
)
@pytest.mark.parametrize("has_file", [True, False])
def test_what_a_block_returns_is_named(result, said, has_file, tmp_path):
    def mine(config, setup):
        return result

    path = tmp_path / "r.jsonl" if has_file else None
    with pytest.raises(InputTypeError, match=said):
        experiments.run(experiments.plan(mine, Recall(), HEBB), path, progress=str)
    assert not has_file or experiments.records.read(path)[1] == []


def test_parameters_make_the_memory_and_are_fields_of_the_record():
    setup = Setup("rules", partial(hopfield.ClassicalHopfield, rule="storkey"))
    setups = sweep(setup, rule=["hebbian", "pseudo_inverse"])
    lines = [recall(Recall(60, 10, draws=2), setup) for setup in setups]
    assert [line["rule"] for line in lines] == ["hebbian", "pseudo_inverse"]
    assert all(line["parameters"] == ["rule"] for line in lines)
    assert lines[0]["recalled"] < lines[1]["recalled"] == 1
    make = partial(hopfield.ModernHopfield, separation=hopfield.TopK(2, 4.0))
    assert recall(Recall(16, 2), Setup("wide", make))["separation"] == "TopK(k=2, beta=4.0)"


def test_a_lambda_is_named_by_the_short_settings_of_its_memory():
    class Many(Nearest):
        def __init__(self, power):
            self.power, self.rule, self.table = power, len, torch.zeros(30)
            self.thing, self._hidden = object(), 3

    for make, name in [
        (lambda: Many(2), "Many(power=2, rule=len)"), (Many, "Many"), (lambda power: Many(power),
        "<lambda>"), (partial(Many, 2), "Many(2)"), (lambda: 1 / 0, "<lambda>"),
    ]:  # fmt: skip
        assert Setup("own", make).facts()["memory"] == name


def test_parameters_do_not_hide_other_fields():
    make = partial(lambda **options: Nearest(), n=7, case="other", seed=9, damage="x", experiment=1)
    line = recall(Recall(20, 2, draws=1), Setup("own", make))
    fields = [line[name] for name in ("n", "case", "seed", "damage", "experiment")]
    assert fields == [2, "own", 0, 0.1, "recall"]
    warm = partial(hopfield.ClassicalHopfield, temperature=0.9)
    line = thermal(Thermal(60, 2, 0.1, 4, 1), Setup("cold", warm))
    assert line["temperature"] == 0.1 and line["overlap"] > 0.9, "what the memory was made with"


def test_a_block_of_ones_own_needs_only_public_helpers():
    def restored(config, setup):
        scores = []
        for rows, memory, source in experiments.draws(config, setup):
            cue = setup.corrupt(rows, config.damage, generator=source)
            scores.append(setup.measured(rows, setup.final_states(memory, cue, source)))
        results = experiments.means_and_sds(scores)
        return experiments.record("restored", setup, config, **results)

    config = Recall(60, 8, draws=3)
    (line,) = experiments.run(experiments.plan(restored, config, HEBB), progress=str)
    known = recall(config, HEBB)
    assert all(line[name] == known[name] for name in ("recalled", "recalled_sd", "memory"))


@pytest.mark.parametrize(
    ("draws", "said"),
    [([], "one per draw"), ([3.0], "one per draw"), ([{"a": 1.0}, {"b": 1.0}], "same quantities")],
)
def test_quantities_of_draws_are_checked(draws, said):
    with pytest.raises(HopfieldError, match=said):
        experiments.means_and_sds(draws)


def test_a_landscape_of_ones_own_memory_holds_its_patterns_where_they_are():
    rows = torch.tensor([[0.0, 1.0], [3.0, 2.0], [1.0, -1.0], [2.0, 5.0]]).double()
    memory = hopfield.ModernHopfield(20.0, similarity="euclidean")
    memory.store(rows)
    line = experiments.landscape(memory)
    assert line["positions"] == rows.tolist(), "all four, at their entries"
    x, y, energies, paths = (
        torch.tensor(line[name]).double() for name in ("x", "y", "energy", "trajectories")
    )
    of_grid = memory.energy(torch.cartesian_prod(y, x).flip(1))
    torch.testing.assert_close(energies.flatten(), of_grid, rtol=1e-4, atol=1e-4)
    assert torch.cdist(paths[:, -1], rows).amin(1).max() < 1e-3
    low, high = (
        torch.tensor([min(line["x"]), min(line["y"])]),
        torch.tensor([max(line["x"]), max(line["y"])]),
    )
    assert ((rows > low) & (rows < high)).all()


@pytest.mark.parametrize("units", [2, 16])
def test_a_landscape_is_the_plane_of_the_experiment(units):
    config = EnergyPlane(units, 3)
    setup = Setup("modern", partial(hopfield.ModernHopfield, 4.0), synthetic.unit_sphere)
    line = energy_plane(config, setup)
    rows = synthetic.unit_sphere(3, units, generator=generator(0, 3)).double()
    memory = hopfield.ModernHopfield(4.0)
    memory.store(rows)
    assert experiments.landscape(memory)["energy"] == line["energy"]
    own = SimpleNamespace(energy=memory.energy, update=memory.update)
    assert experiments.landscape(own, rows)["energy"] == line["energy"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [(None, "patterns=rows"), (torch.zeros(3, 1), "at least 2 entries"), (3, "patterns must be"),
     (torch.eye(2, 3), "at least 3, to span")],
)  # fmt: skip
def test_a_landscape_needs_patterns_that_span_it(rows, said):
    with pytest.raises(HopfieldError, match=said):
        experiments.landscape(SimpleNamespace(energy=len, update=len), rows)


def test_a_landscape_of_a_given_coupling_is_drawn_through_given_states():
    coupling = torch.ones(8, 8) - torch.eye(8)
    memory = hopfield.ClassicalHopfield.from_coupling(coupling)
    with pytest.raises(InputTypeError, match="patterns=rows"):
        experiments.landscape(memory)
    ends = torch.stack([torch.ones(8), torch.tensor([1.0, -1.0]).repeat(4)])
    line = experiments.landscape(memory, ends)
    assert line["energy"][0][0] == -28 and line["positions"] == [[0, 0], [1, 0]]
