"""Figures: each takes records or numbers and an `ax`, and returns the Axes it drew on."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
import torch

import hopfield
from hopfield import experiments, plots
from hopfield.errors import DataError, HopfieldError, MissingExtraError, OptionError

IMAGES = [[0, 128, 255, 64, 0, 255]] * 2
BARS = [("one", 1.0, 0.2), ("none", 0.0, 0.2)]
SERIES = [
    plots.series("a", [0.1, 1.0, 8.0], [1.0, 2.0, 3.0], [0.1, 0.1, 0.1]),
    plots.series("b", [1.0], [1.0]),
]

PLANE = {
    "x": [0, 1], "y": [0, 1], "energy": [[0, 1], [1, 2]],
    "positions": [[0, 0], [1, 1]], "trajectories": [[[0, 0.5], [0, 0]]],
}  # fmt: skip
DRAWN = {
    "pictures": lambda ax: plots.pictures(
        [("stored", IMAGES), ("cue", IMAGES)], (2, 3), known=[[1, 1, 1, 0, 0, 0]] * 2, ax=ax
    ),
    "rates": lambda ax: plots.rates(BARS, "returned", ax=ax),
    "energies": lambda ax: plots.energies([[1.0, 0.0], [2.0, 1.0, 0.5]], ax=ax),
    "comparison": lambda ax: plots.comparison(SERIES, ("β", "share (%)"), ax=ax, log="x"),
    "durations": lambda ax: plots.durations([("loop", 10.0), ("closed", 0.1)], "ms", ax=ax),
    "landscape": lambda ax: plots.landscape(PLANE, ax),
    "phases": lambda ax: plots.phases(
        [0.1, 0.2], [1, 2], [[0, 1], [1, 0]], ("load", "T", "m"), ax, limit=([0.1, 0.2], [1, 2])
    ),
    "couplings": lambda ax: plots.couplings([[0, 1], [-1, 0]], ax),
    "weights": lambda ax: plots.weights([0.9, 0.1], ax, marked=0),
    "recovered": lambda ax: plots.recovered(IMAGES, IMAGES, IMAGES, (2, 3), ax=ax),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_is_drawn_on_the_given_axes_or_its_own(name):
    ax = plots.figure().add_subplot()
    assert DRAWN[name](ax) is ax
    own = DRAWN[name](None)
    assert own.figure.get_figwidth() == plots.WIDTH
    for drawn in (ax, own):
        drawn.figure.canvas.draw()


def test_axes_are_labelled():
    ax = plots.rates(BARS, "returned")
    assert ax.get_xlabel() == "returned (%)"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one", "none"]
    assert plots.energies([[1.0]]).get_ylabel() == "energy E"
    ax = plots.comparison(SERIES, ("β", "share (%)"), log="x")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("β", "share (%)")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0.1", "1", "8"]


def test_error_bars_stay_between_none_and_all():
    ax = plots.rates([("all", 1.0, 0.5), ("none", 0.0, 0.5)], "returned")
    segments = [s for c in ax.collections for s in c.get_segments()]
    assert segments, "premise: there are error bars"
    assert all(0 <= x <= 100 for segment in segments for x, _ in segment)


def test_unknown_entries_are_tinted_and_only_in_the_cue():
    ax = plots.pictures(
        [("stored", IMAGES), ("cue", IMAGES)], (2, 3), known=[[1] * 3 + [0] * 3] * 2
    )
    sheet = ax.images[0].get_array()
    stored, cue = sheet[:2, :3, :3], sheet[3:5, :3, :3]
    assert (cue[1] == plots.UNKNOWN).all()
    assert (cue[0] == stored[0]).all() and not (stored[1] == plots.UNKNOWN).all()


def test_ink_is_dark_and_colours_are_kept():
    grey = plots.pictures([("a", [[255, 0]])], (1, 2)).images[0].get_array()
    assert (grey[0, 0, :3] == 0).all() and (grey[0, 1, :3] == 1).all()
    light = plots.pictures([("a", [[255, 0]])], (1, 2), light=True).images[0].get_array()
    assert (light[0, 0, :3] == 1).all() and (light[0, 1, :3] == 0).all()
    colour = plots.pictures([("a", [[255, 0, 0]])], (3, 1, 1)).images[0].get_array()
    assert tuple(colour[0, 0, :3]) == (1, 0, 0)


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"hopfield\[plots\]"):
        plots.rates(BARS, "returned")


def test_importing_the_module_does_not_load_matplotlib():
    code = "import sys, hopfield.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_white_is_no_coupling_and_the_difference_is_none_where_all_is_right():
    image = plots.couplings([[0, 2.0], [-1.0, 0]]).images[0]
    assert image.get_clim() == (-2.0, 2.0) and image.cmap(0.5)[:3] == pytest.approx(
        (1, 1, 1), abs=0.01
    )
    same = plots.recovered(IMAGES, IMAGES, IMAGES, (2, 3))
    rows = [label.get_text() for label in same.get_yticklabels()]
    assert rows == ["original", "cue", "retrieved", "difference"]
    assert (same.images[0].get_array()[-2:, :3, :3] == 1).all()


def _line(name, x, y, kind, error=None):
    return plots.series(name, x, y, error, kind)


def test_theory_has_the_colour_of_what_it_stands_beside():
    series = [
        _line("degree 2", [1, 10, 100], [1, 2, 3], "measured", [0.1] * 3),
        _line("theory, degree 2", [1, 100], [1, 3], "theory"),
        _line("published, degree 2", [1, 10], [1, 2], "published"),
        _line("theory", [1, 100], [0, 1], "theory"),
    ]
    ax = plots.comparison(series, ("n", "m"), log="x")
    points, theory, published, other = (
        next(each for each in ax.lines if tuple(each.get_ydata()) == tuple(y))
        for y in ([1, 2, 3], [1, 3], [1, 2], [0, 1])
    )
    assert points.get_color() == theory.get_color() == published.get_color() != other.get_color()
    assert published.get_markerfacecolor() == "none" and theory.get_marker() == "None"
    assert ax.get_xscale() == "log" and [t.get_text() for t in ax.get_xticklabels()] == [
        "1",
        "10",
        "100",
    ]
    assert len(ax.containers) == 1, "only what was measured has error bars"


def test_curves_of_one_name_share_a_colour_and_a_place_in_the_legend():
    runs = [_line("cues", [0, 1], [i, 0], "measured") for i in range(3)]
    ax = plots.comparison([*runs, _line("theory", [0, 1], [1, 0], "theory")], ("t", "E"))
    assert len({line.get_color() for line in ax.lines[:3]}) == 1
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["cues", "theory"]
    assert all(place == int(place) for place in ax.get_xticks()), "sweeps are whole"


def test_a_logarithmic_axis_has_labels_where_it_was_measured_or_at_round_numbers():
    def labels(places):
        ax = plots.comparison([_line("a", places, places, "measured")], ("n", "m"), log="x")
        ax.figure.canvas.draw()
        low, high = ax.get_xlim()
        return [text.get_text() for text in ax.get_xticklabels()
                if low <= text.get_position()[0] <= high]  # fmt: skip

    assert labels([10, 100, 1000]) == ["10", "100", "1000"]
    assert labels([1, 1.1, 100]) == ["1", "100"], "no two labels on top of each other"
    assert labels([0.0923456, 0.3456789]) == ["0.1", "0.2"]


SWEPT = [
    {"experiment": "recall", "case": case, "n": n, "seed": 0, "damage": 0.1, "recalled": 1 / n,
     "recalled_sd": 0.2, "samples": 4}
    for case in ("a", "b") for n in (1, 2, 4)
]  # fmt: skip


def test_a_sheet_draws_what_was_swept():
    (ax,) = plots.sheet(SWEPT).axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("patterns n", "share recalled")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    (bars,) = [c.get_segments() for c in ax.collections[:1]]
    assert bars[0][1][1] - bars[0][0][1] == pytest.approx(2 * 0.2 / 2)  # ± sd/√4


def test_a_sheet_takes_several_seeds_as_one_point_with_its_spread():
    lines = [{"experiment": "capacity", "case": "a", "units": u, "n": u + s, "load": 1, "seed": s}
             for u in (10, 20) for s in (0, 1)]  # fmt: skip
    (ax,) = plots.sheet(lines).axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("units N", "capacity n")
    assert list(ax.lines[0].get_ydata()) == [10.5, 20.5]


def test_a_sheet_draws_records_that_are_pictures_and_figures_that_records_bring():
    whole = plots.sheet([{"experiment": "energy_plane", **PLANE}, *SWEPT])
    assert len(whole.axes) == 3  # landscape, its colour bar, curves
    series = {
        "experiment": "series",
        "result": "r",
        "figure": "f",
        **_line("a", [1], [1], "measured"),
    }
    figure = {"experiment": "figure", "result": "r", "name": "f", "x": "x", "y": "y", "log": ""}
    (ax,) = plots.sheet([figure, series, *SWEPT]).axes
    assert ax.get_xlabel() == "x"


GRID = [
    {"experiment": "recall", "case": case, "n": n, "units": 100, "load": n / 100, "damage": damage,
     "seed": seed, "recalled": (n + damage) / 10, "recalled_sd": 0.2, "samples": 4}
    for case in ("a", "b") for n in (1, 2, 3, 4) for damage in (0.1, 0.2, 0.3, 0.4)
    for seed in (0, 1)
]  # fmt: skip
ONE = [line for line in GRID if line["case"] == "a"]


def test_curves_of_two_swept_fields_are_one_a_value():
    few = [line for line in GRID if line["damage"] < 0.3]
    ax = plots.curves(few, theory=[("theory, a, damage = 0.1", [1, 4], [0.2, 0.5])])
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["theory, a, damage = 0.1", "a, damage = 0.1", "a, damage = 0.2",
                     "b, damage = 0.1", "b, damage = 0.2"]  # fmt: skip
    first, theory = ax.lines[0], next(line for line in ax.lines if line.get_linestyle() == "-")
    assert list(first.get_ydata()) == pytest.approx([0.11, 0.21, 0.31, 0.41])
    assert first.get_color() == theory.get_color()


def test_parameters_of_setups_are_an_axis_or_tell_curves_apart():
    lines = [
        {"experiment": "recall", "case": "mine", "parameters": ["power", "rule"], "power": power,
         "rule": rule, "n": 5, "right": power / 10, "right_sd": 0.0, "samples": 2}
        for power in (1, 2, 3) for rule in ("a", "b")
    ]  # fmt: skip
    ax = plots.curves(lines)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("power", "share with the right pattern")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "mine, rule = a", "mine, rule = b"
    ]  # fmt: skip


def test_parameters_that_names_tell_apart_are_not_repeated():
    lines = [
        {"experiment": "recall", "case": f"β {beta}", "parameters": ["beta"], "beta": beta,
         "n": n, "right": n * beta / 10, "right_sd": 0.0, "samples": 2}
        for beta in (1, 2, 4) for n in (1, 2)
    ]  # fmt: skip
    ax = plots.curves(lines)
    assert ax.get_xlabel() == "patterns n"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["β 1", "β 2", "β 4"]


def test_a_landscape_is_drawn_of_a_memory_with_its_patterns():
    memory = hopfield.ModernHopfield(20.0, similarity="euclidean")
    memory.store(torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    drawn = plots.landscape(memory)
    measured = plots.landscape(experiments.landscape(memory))
    for ax in (drawn, measured):
        patterns = next(line for line in ax.lines if line.get_label() == "patterns")
        assert np.array_equal(patterns.get_xydata(), memory.patterns.numpy())
    for wrong in (3, "memory", None):
        with pytest.raises(HopfieldError, match="must have energy, update"):
            plots.landscape(wrong)


def test_curves_are_drawn_over_the_field_and_the_result_asked_for():
    lines = [{**line, "accuracy": 1.0, "accuracy_sd": 0.0} for line in SWEPT]
    ax = plots.curves(lines, x="n", y="accuracy")
    assert ax.get_ylabel() == "share of entries right" and set(ax.lines[0].get_ydata()) == {1.0}
    assert plots.curves(ONE, x="load").get_xlabel() == "load n/N"
    with pytest.raises(OptionError, match="x must be one of"):
        plots.curves(SWEPT, x="m")
    with pytest.raises(OptionError, match="y must be one of"):
        plots.curves(SWEPT, y="recall")


def test_curves_need_something_swept_in_one_experiment():
    with pytest.raises(DataError, match="a swept field, but hold none"):
        plots.curves(SWEPT[:1])
    with pytest.raises(DataError, match="at least one"):
        plots.curves([])
    with pytest.raises(DataError, match="capacity, recall"):
        plots.curves([*SWEPT, {"experiment": "capacity"}])


def test_a_table_is_what_a_phase_diagram_takes():
    columns, rows, means, labels = plots.table(ONE, x="damage", y="n")
    assert (columns, rows) == ([0.1, 0.2, 0.3, 0.4], [1, 2, 3, 4])
    assert means[2][1] == pytest.approx(0.32) and labels == ("damage", "patterns n",
                                                             "share recalled")  # fmt: skip
    ax = plots.phases(*plots.table(ONE))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("patterns n", "damage")
    with pytest.raises(DataError, match=r"2 are missing, such as n=1, damage=0\.4"):
        plots.table([line for line in ONE if (line["n"], line["damage"]) not in
                     {(1, 0.4), (2, 0.4)}])  # fmt: skip
    with pytest.raises(DataError, match="two swept fields, but hold n"):
        plots.table(SWEPT)


def test_a_sheet_draws_two_swept_fields_as_phase_diagrams_where_both_have_many_values():
    labels = [ax.get_ylabel() for ax in plots.sheet(GRID).axes]
    assert labels.count("damage") == labels.count("share recalled") == 2  # and their colour bars
    few = [line for line in GRID if line["damage"] < 0.4]
    (ax,) = plots.sheet(few).axes
    assert len(ax.get_legend().get_texts()) == 6


def test_a_sheet_compares_cases_as_bars_and_times_on_a_logarithmic_scale():
    (ax,) = plots.sheet([{**line, "n": 5} for line in SWEPT]).axes
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "b"]
    times = [{"experiment": "speed", "case": case, "n": 5, "best_ms": best, "seed": 0}
             for case, best in (("a", 3.0), ("b", 70.0))]  # fmt: skip
    (ax,) = plots.sheet(times).axes
    assert ax.get_xscale() == "log" and ax.get_xlabel() == "time (ms)"


def test_a_sheet_draws_all_kinds_of_a_census():
    kinds = {"stored": 0.5, "inverse": 0.2, "mixture": 0.2, "spurious": 0.1}
    line = {"experiment": "attractor_census", "case": "a", "n": 5, "seed": 0, "samples": 4,
            **kinds, **{f"{kind}_sd": 0.1 for kind in kinds}}  # fmt: skip
    (ax,) = plots.sheet([line]).axes
    assert [text.get_text() for text in ax.get_yticklabels()] == [f"a: {kind}" for kind in kinds]
    (ax,) = plots.sheet([line, line | {"n": 9}]).axes
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        f"a: {kind}" for kind in kinds
    ]


def test_nothing_to_draw_is_said():
    with pytest.raises(DataError, match="nothing to draw"):
        plots.sheet(SWEPT[:1])


@pytest.mark.parametrize("name", ["$x^$", "a_$\\frac", "100 $"])
def test_names_are_no_formulas(name):
    """A name that cannot be read as a formula is drawn as it stands."""
    named = [line | {"case": name} for line in SWEPT]
    plane = {"experiment": "energy_plane", "case": name, **PLANE}
    one = [line | {"case": case} for line in SWEPT[:1] for case in (name, "b")]
    for lines in (named, [plane], one):
        plots.sheet(lines).canvas.draw()


def test_labels_of_a_logarithmic_axis_do_not_overprint():
    betas = [0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 32.0, 128.0, 512.0]
    ax = plots.comparison([plots.series("a", betas, betas, betas)], ("β", "y"), log="x")
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.get_xticklabels() if text.get_text()]
    assert len(boxes) > 4 and all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))


def test_wrong_arguments_are_not_taken_for_values():
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        plots.weights([1.0], colour="red")
    with pytest.raises(DataError, match=r"plots\.weights needs values that can be drawn"):
        plots.weights([object()])
