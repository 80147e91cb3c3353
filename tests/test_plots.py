"""Figures: each takes records or numbers and an `ax`, and returns the Axes it drew on."""

import subprocess
import sys

import pytest

from hopfield import plots
from hopfield.errors import MissingExtraError

IMAGES = [[0, 128, 255, 64, 0, 255]] * 2
BARS = [("one", 1.0, 0.2), ("none", 0.0, 0.2)]
SERIES = [("a", [0.1, 1.0, 8.0], [1.0, 2.0, 3.0], [0.1, 0.1, 0.1]), ("b", [1.0], [1.0], [0.0])]

DRAWN = {
    "pictures": lambda ax: plots.pictures(
        [("stored", IMAGES), ("cue", IMAGES)], (2, 3), known=[[1, 1, 1, 0, 0, 0]] * 2, ax=ax
    ),
    "rates": lambda ax: plots.rates(BARS, "returned", ax=ax),
    "energies": lambda ax: plots.energies([[1.0, 0.0], [2.0, 1.0, 0.5]], ax=ax),
    "lines": lambda ax: plots.lines(SERIES, ("β", "share (%)"), ax=ax, log=True),
    "histogram": lambda ax: plots.histogram([("5 stored", [0, 3, 1])], "sweeps", ax=ax),
    "durations": lambda ax: plots.durations([("loop", 10.0), ("closed", 0.1)], "ms", ax=ax),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_is_drawn_on_the_given_axes(name):
    ax = plots.figure().add_subplot()
    assert DRAWN[name](ax) is ax
    ax.figure.canvas.draw()


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_makes_its_own_axes(name):
    ax = DRAWN[name](None)
    assert ax.figure.get_figwidth() == plots.WIDTH
    ax.figure.canvas.draw()


def test_axes_are_labelled():
    ax = plots.rates(BARS, "returned")
    assert ax.get_xlabel() == "returned (%)"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one", "none"]
    assert plots.energies([[1.0]]).get_ylabel() == "energy E"
    ax = plots.lines(SERIES, ("β", "share (%)"), log=True)
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
