"""Building blocks: known answers, a user's memory, and refusals."""

import json
import math
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
import torch

import hopfield
from hopfield import corruption, experiments, metrics, similarity, synthetic, theory
from hopfield.errors import HopfieldError, InputTypeError, OptionError, ShapeError
from hopfield.experiments import (
    AttractorCensus,
    Capacity,
    EnergyPath,
    EnergyPlane,
    Metastable,
    Recall,
    Setup,
    Speed,
    Thermal,
    attractor_census,
    attractors,
    capacity,
    energy_path,
    energy_plane,
    from_data,
    generator,
    metastable,
    recall,
    speed,
    sweep,
    thermal,
)
from hopfield.iteration import Reading

HEBB = Setup("Hebb", hopfield.ClassicalHopfield)
PROJECTION = Setup("projection", partial(hopfield.ClassicalHopfield, "pseudo_inverse"))
SPHERE = Setup(
    "modern", hopfield.ModernHopfield, synthetic.unit_sphere, corruption.gaussian_noise
)  # fmt: skip


class Nearest:
    """A user's memory: returns the stored pattern with the largest score."""

    def store(self, patterns):
        self.rows = patterns

    def retrieve(self, cue):
        return SimpleNamespace(state=self.update(cue.state if hasattr(cue, "state") else cue))

    def energy(self, state):
        return -(state @ self.rows.T).amax(-1)

    def update(self, state):
        return self.rows[(state @ self.rows.T).argmax(-1)]


OWN = Setup("nearest", Nearest)


def test_recall_of_few_patterns_is_whole_and_of_many_is_not():
    few = recall(Recall(200, 3, 0.1, draws=3), HEBB)
    many = recall(Recall(200, 60, 0.1, draws=3), HEBB)
    assert (few["recalled"], few["overlap"], few["accuracy"]) == (1, 1, 1)
    assert many["recalled"] < 0.1 and many["load"] == 0.3
    assert many["overlap"] == pytest.approx(2 * many["accuracy"] - 1)


def test_recall_falls_with_damage():
    shares = [
        recall(at, PROJECTION)["recalled"]
        for at in sweep(Recall(100, 20, draws=5), damage=[0.0, 0.2, 0.5])
    ]
    assert shares[0] == 1 and shares[0] > shares[2] and shares == sorted(shares, reverse=True)


def test_the_means_are_over_draws_and_the_seed_decides_them():
    one = recall(Recall(100, 12, 0.1, draws=4, seed=3), HEBB)
    assert one["samples"] == 4 and one["recalled_sd"] > 0
    assert one == recall(Recall(100, 12, 0.1, draws=4, seed=3), HEBB)
    assert one["overlap"] != recall(Recall(100, 12, 0.1, draws=4, seed=4), HEBB)["overlap"]


def test_the_number_of_cues_and_options_of_retrieve_count():
    once = Setup("one sweep", hopfield.DenseHopfield, options={"steps": 0})
    untouched = recall(Recall(100, 5, 0.1, draws=2), once)
    assert untouched["accuracy"] == pytest.approx(0.9)
    asked = []
    spy = Setup("spy", Nearest, measure=lambda x, y: asked.append(len(x)) or torch.ones(len(x)))
    recall(Recall(30, 20, 0.1, draws=1, cues=7), spy)
    assert asked == [7]


def test_the_measure_may_be_ones_own():
    bits = Setup("bits", hopfield.ClassicalHopfield, measure=metrics.hamming_accuracy)
    config = Recall(100, 20, 0.1, draws=3)
    found = recall(config, bits)
    assert found["recalled"] == found["accuracy"] > recall(config, HEBB)["recalled"]


def test_capacity_is_where_recall_crosses_the_share():
    found = capacity(Capacity(100, 0.9, 0.0, draws=4), HEBB)
    n = found["n"]

    def share(n):
        return recall(Recall(100, n, 0.0, draws=4, cues=200), HEBB)["recalled"]

    assert share(n) >= 0.9 > share(n + 1)
    assert found["load"] == n / 100 and found["n_tried"] < 15


def test_capacity_stops_at_the_most_and_can_be_none():
    assert capacity(Capacity(50, 0.9, 0.0, draws=1, max_n=37), PROJECTION)["n"] == 37
    lost = Setup("lost", Nearest, measure=lambda x, y: torch.zeros(len(x)))
    assert capacity(Capacity(50, 0.5, draws=1), lost)["n"] == 0


def test_thermal_overlap_is_near_theory_and_falls_with_temperature():
    cold, warm, hot = (
        thermal(at, HEBB)["overlap"]
        for at in sweep(Thermal(1000, 10, draws=4), temperature=[0.2, 0.5, 1.5])
    )
    assert cold == pytest.approx(theory.thermal_overlap(0.01, 0.2), abs=0.01)
    assert warm == pytest.approx(theory.thermal_overlap(0.01, 0.5), abs=0.03)
    assert abs(hot) < 0.1


def test_weights_spread_at_small_beta_and_gather_at_large():
    small, large = (metastable(at, SPHERE) for at in sweep(Metastable(draws=2), beta=[0.01, 100.0]))
    assert small["k"] == 45 and small["single"] == 0 and small["counts"][44] == 100
    assert large["k"] == 1 and large["single"] == 1 and large["k_max"] == 1


def test_n_effective_counts_the_fewest_weights():
    shares = torch.tensor([[0.5, 0.4, 0.1], [1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]])
    assert attractors.n_effective(shares).tolist() == [2, 1, 3]
    assert attractors.n_effective(torch.full((10,), 0.1)).item() == 9


def test_metastable_needs_weights():
    with pytest.raises(OptionError, match=r"weights\(state\)"):
        metastable(Metastable(draws=1), Setup("own", lambda beta: Nearest()))


def test_every_end_is_of_one_kind():
    found = attractor_census(AttractorCensus(60, 4, starts=100, draws=3), HEBB)
    shares = [found[name] for name in ("stored", "inverse", "mixture", "spurious")]
    assert sum(shares) == pytest.approx(1) and min(shares[:3]) > 0.02


def test_kinds_of_states():
    rows = synthetic.random_binary(4, 400)
    mixture = rows[:3].sum(0).sign()
    odd = synthetic.random_binary(1, 400, generator=torch.Generator().manual_seed(9))[0]
    states = torch.stack([rows[1], -rows[2], mixture, -mixture, odd])
    kinds = attractors.kinds_of_states(rows, states, 0.95)
    assert kinds["stored"].tolist() == [True, False, False, False, False]
    assert kinds["inverse"].tolist() == [False, True, False, False, False]
    assert kinds["mixture"].tolist() == [False, False, True, True, False]
    assert kinds["spurious"].tolist() == [False, False, False, False, True]
    unit = synthetic.unit_sphere(4, 50)
    kinds = attractors.kinds_of_states(unit, torch.stack([unit[:2].mean(0), unit[0]]), 0.95)
    assert kinds["mixture"].tolist() == [True, False]


def test_the_plane_holds_its_patterns_and_ways_go_downhill():
    sharp = Setup("sharp", partial(hopfield.ModernHopfield, 30.0), synthetic.unit_sphere)
    found = energy_plane(EnergyPlane(grid=21, starts=6, steps=30), sharp)
    energy = torch.tensor(found["energy"])
    assert (
        energy.shape == (21, 21)
        and len(found["trajectories"]) == 6
        and len(found["trajectories"][0]) == 31
    )
    places, ends = torch.tensor(found["positions"]), torch.tensor(found["trajectories"])[:, -1]
    assert torch.cdist(ends, places).amin(1).amax() < 1e-2
    rows = synthetic.unit_sphere(3, 16, generator=generator(0, 3)).double()
    assert torch.allclose(torch.pdist(places.double()), torch.pdist(rows), atol=1e-5)
    more = energy_plane(EnergyPlane(n=5, grid=5), sharp)
    assert len(more["positions"]) == 3, "patterns 4 and 5 lie elsewhere"
    with pytest.raises(HopfieldError, match="n must be at least 3"):
        energy_plane(EnergyPlane(n=2), sharp)


def test_of_signs_the_plane_is_a_square_with_patterns_and_inverses_at_its_corners():
    found = energy_plane(EnergyPlane(100, 4, grid=11, starts=8, steps=5), HEBB)
    rows = synthetic.random_binary(4, 100, generator=generator(0, 4))
    memory = hopfield.ClassicalHopfield()
    memory.store(rows)
    corners = memory.energy(torch.stack([rows[0], rows[1], -rows[1], -rows[0]]))
    energy, places = torch.tensor(found["energy"]), torch.tensor(found["positions"])
    seen = torch.stack([energy[0, 0], energy[0, -1], energy[-1, 0], energy[-1, -1]])
    torch.testing.assert_close(seen, corners, rtol=1e-5, atol=1e-5)
    assert places.tolist() == [[0, 0], [1, 0]], "patterns 3 and 4 lie elsewhere"
    ways = torch.tensor(found["trajectories"])
    assert ways.shape == (8, 6, 2) and 0 <= ways.min() and ways.max() <= 1
    near = torch.cdist(ways[:, -1], torch.tensor([[0.0, 0], [1, 0], [0, 1], [1, 1]])).amin(1)
    assert near.min() == 0 and (ways[:, -1] == ways[:, -2]).all(), "they settle"
    between = Setup("between", partial(hopfield.ModernHopfield, 0.0))
    ends = torch.tensor(
        energy_plane(EnergyPlane(100, 4, grid=3, steps=1), between)["trajectories"]
    )[:, -1]
    assert (ends > 0.2).all() and (ends < 0.8).all(), "the mean lies inside the square"
    with pytest.raises(HopfieldError, match="n must be at least 2"):
        energy_plane(EnergyPlane(n=1), HEBB)


def test_the_way_between_patterns_has_a_barrier():
    found = energy_path(EnergyPath(100, 3, points=21), HEBB)
    assert (found["position"][0], found["position"][-1]) == (0, 1)
    assert found["barrier"] > 5 and len(found["energy"]) == 21
    flat = energy_path(EnergyPath(100, 3, points=21), SPHERE)
    assert flat["position"][1] == 0.05


def test_speed_is_positive_and_the_best_is_the_least():
    found = speed(Speed(50, 5, repeats=3), HEBB)
    assert 0 < found["best_ms"] <= found["median_ms"]


SMALL = [
    (recall, Recall(60, 10, draws=2)), (capacity, Capacity(60, draws=1, max_n=20)),
    (attractor_census, AttractorCensus(60, 4, starts=20, draws=2)),
    (energy_path, EnergyPath(60)), (speed, Speed(60, repeats=1)),
    (energy_plane, EnergyPlane(60, grid=5, starts=3, steps=2)),
]  # fmt: skip
SIGNS = [
    *(partial(hopfield.ClassicalHopfield, rule)
      for rule in ("hebbian", "storkey", "pseudo_inverse", "covariance")),
    partial(hopfield.ClassicalHopfield, schedule="synchronous"), hopfield.DenseHopfield,
    partial(hopfield.DenseHopfield, separation=hopfield.separation.Polynomial(3)),
]  # fmt: skip
VECTORS = [
    *(partial(hopfield.ModernHopfield, 4.0, similarity=name) for name in similarity.SIMILARITIES),
    partial(hopfield.ModernHopfield, separation=hopfield.separation.Entmax(1.5, 4.0)),
    partial(hopfield.ModernHopfield, separation=hopfield.separation.TopK(3, 4.0)),
]  # fmt: skip


@pytest.mark.parametrize(("block", "config"), SMALL)
def test_every_block_takes_every_memory(block, config):
    setups = [Setup("signs", make) for make in SIGNS]
    setups += [Setup("vectors", make, synthetic.unit_sphere, corruption.gaussian_noise)
               for make in VECTORS]  # fmt: skip
    for setup in setups:
        line = block(config, setup)
        assert line["experiment"] == block.__name__ and line["memory"] == setup.facts()["memory"]
        json.dumps(line, allow_nan=False)


@pytest.mark.parametrize(("block", "config"), SMALL)
def test_a_memory_of_ones_own_will_do(block, config):
    line = block(config, OWN)
    assert line["case"] == "nearest" and line["memory"] == "Nearest"
    if block is recall:
        assert line["recalled"] == 1
    if block is capacity:
        assert line["n"] == 20


def test_scans_give_a_memory_of_ones_own_what_they_vary():
    given = []

    class Weighed(Nearest):
        def __init__(self, **options):
            given.append(options)

        def weights(self, state):
            return torch.softmax(50 * state @ self.rows.T, dim=-1)

    own = Setup("weighed", Weighed, synthetic.unit_sphere, corruption.gaussian_noise)
    assert metastable(Metastable(draws=1, damage=0.0, beta=3.0), own)["k"] == 1
    assert thermal(Thermal(60, 4, 0.2, 4, 1), Setup("own", Weighed))["overlap"] == 1
    assert given == [{"beta": 3.0}, {"temperature": 0.2}]


@pytest.mark.parametrize(
    ("block", "config", "said"),
    [
        (recall, Recall(cues=0), "cues must be at least 1"), (recall, Recall(n=2.5), "n must be a"),
        (recall, Recall(seed=-1), "seed must be at least 0"), (recall, Recall(seed="a"), "seed"),
        (capacity, Capacity(max_n=0), "max_n must be at least 1"),
        (thermal, Thermal(draws=0), "draws must"), (thermal, Thermal(sweeps=0), "sweeps must"),
        (metastable, Metastable(n=0), "n must"),
        (attractor_census, AttractorCensus(starts=0), "starts must"),
        (energy_plane, EnergyPlane(grid=1), "grid must be at least 2"),
        (energy_plane, EnergyPlane(steps=-1), "steps must"),
        (energy_path, EnergyPath(n=1), "n must be at least 2"),
        (speed, Speed(queries=0), "queries must"),
    ],
)  # fmt: skip
def test_a_config_that_measures_nothing_is_refused(block, config, said):
    with pytest.raises(HopfieldError, match=said):
        block(config, HEBB)


def test_a_scan_needs_a_memory_that_takes_what_it_varies():
    with pytest.raises(OptionError, match="Hebb must be made with beta="):
        metastable(Metastable(draws=1), HEBB)
    with pytest.raises(OptionError, match="modern must be made with temperature="):
        thermal(Thermal(draws=1), SPHERE)


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


def test_parameters_make_the_memory_and_are_fields_of_the_record():
    setups = sweep(Setup("rules", hopfield.ClassicalHopfield, parameters={"rule": "hebbian"}),
                   rule=["hebbian", "pseudo_inverse"])  # fmt: skip
    lines = [recall(Recall(60, 10, draws=2), setup) for setup in setups]
    assert [line["rule"] for line in lines] == ["hebbian", "pseudo_inverse"]
    assert all(line["parameters"] == ["rule"] for line in lines)
    assert lines[0]["recalled"] < lines[1]["recalled"] == 1
    wide = Setup("wide", hopfield.ModernHopfield, parameters={"separation": hopfield.TopK(2, 4.0)})
    assert (
        json.loads(json.dumps(recall(Recall(16, 2), wide)))["separation"] == "TopK(k=2, beta=4.0)"
    )


@pytest.mark.parametrize("name", ["n", "case", "seed", "experiment"])
def test_parameters_do_not_hide_other_fields(name):
    setup = Setup("own", lambda **options: Nearest(), parameters={name: 1})
    with pytest.raises(OptionError, match=f"must not have names of other fields.*{name}"):
        recall(Recall(20, 2, draws=1), setup)


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


def test_patterns_may_come_from_a_data_set():
    setup = Setup("digits", hopfield.DenseHopfield, from_data("digits", binary=True))
    found = recall(Recall(64, 5, 0.05, draws=2), setup)
    assert found["patterns"] == "_rows_of('digits', True)" and 0 <= found["recalled"] <= 1
    with pytest.raises(HopfieldError, match="units must be 64"):
        recall(Recall(63, 5), setup)


def test_a_sweep_is_every_combination_and_knows_its_config():
    configs = sweep(Recall(), n=[1, 2], seed=range(3))
    assert [(c.n, c.seed) for c in configs] == [(n, s) for n in (1, 2) for s in range(3)]
    with pytest.raises(OptionError, match=r"Recall has no load. It has units, n"):
        sweep(Recall(), load=[1])
    with pytest.raises(InputTypeError, match="config must be one such as"):
        sweep(Recall, n=[1])


def test_loads_are_not_spoilt_by_rounding():
    assert recall(Recall(10, 3, 0.0, draws=1), OWN)["load"] == 0.3
    assert math.isfinite(theory.critical_load())
