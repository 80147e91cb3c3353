"""Building blocks: known answers, a user's memory, and refusals."""

import json
import math
from functools import partial

import pytest
import torch

import hopfield
from experiment_cases import HEBB, SMALL, Nearest
from hopfield import corruption, metrics, similarity, synthetic, theory
from hopfield.errors import HopfieldError, InputTypeError, OptionError
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

PROJECTION = Setup("projection", partial(hopfield.ClassicalHopfield, "pseudo_inverse"))
SPHERE = Setup(
    "modern", hopfield.ModernHopfield, synthetic.unit_sphere, corruption.gaussian_noise
)  # fmt: skip


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
    signed = torch.tensor([[3.0, -2.9, 0.1], [1.0, -3.0, -1.0]])  # of odd powers, for instance
    assert attractors.n_effective(signed).tolist() == [2, 3]


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
