"""Figures of a diagnosis and of tuning, and `hopfield plot` on their records."""

import math
import runpy

import pytest
import torch

import hopfield
from diagnosed import clustered, gaussian
from hopfield import corruption, plots, tune
from hopfield.cli.commands import run as command
from hopfield.errors import DataError
from hopfield.experiments import records
from hopfield.separation import NAMED
from hopfield.similarity import SIMILARITIES
from source_tree import ROOT

MAKER = runpy.run_path(str(ROOT / "docs" / "make_diagnosis.py"))


def diagnosed(n=60):
    memory = hopfield.ModernHopfield(8.0)
    memory.store(clustered(n))
    return hopfield.diagnose(memory).to_records()


def tuned(**options):
    return tune(clustered(60), corruption.gaussian_noise, 0.3, betas=4, **options).to_records()


def names(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def titles(lines):
    return [ax.get_title(loc="right") for ax in plots.sheet(lines).axes]


def test_margins_and_curves_are_drawn():
    lines = diagnosed()
    ax = plots.margins(lines)
    assert ax.get_ylabel() == "margin Δ"
    drawn = {line.get_label(): sorted(line.get_ydata()) for line in ax.lines[:2]}
    held = sorted(line["margin"] for line in lines if line.get("attractor") is True)
    assert 0 < len(held) < 60 and drawn[f"attractor ({len(held)})"] == held
    own = plots.figure().add_subplot()
    assert plots.tuning(tuned(), own) is own and own.get_xscale() == "log"
    assert names(own) == ["euclidean, softmax", "dot, softmax", "cosine, softmax"]


def test_every_curve_of_tuning_is_drawn_and_told_apart():
    lines = tuned(similarities=list(SIMILARITIES), separations=list(NAMED), cues=32)
    ax = plots.tuning(lines)
    curves = [bars[0] for bars in ax.containers]
    assert len(curves) == len(SIMILARITIES) * len(NAMED)
    for case, curve in zip(dict.fromkeys(x["case"] for x in lines[1:]), curves, strict=True):
        mine = [line for line in lines if line.get("case") == case]
        assert list(curve.get_xdata()) == [line["beta"] for line in mine]
        assert list(curve.get_ydata()) == [line["accuracy"] for line in mine]
    styles = {(each.get_color(), each.get_marker(), str(each._dash_pattern)) for each in curves}
    assert len(styles) == len(curves)
    assert sorted(names(ax)) == sorted([*SIMILARITIES, *NAMED])
    (chosen,) = [line for line in ax.lines if list(line.get_xdata()) == [lines[0]["beta"]] * 2]
    assert chosen.get_linestyle() == ":"


def test_errors_of_completion_are_drawn():
    lines = tuned(objective="completion", similarities=["euclidean"])
    ax = plots.tuning(lines)
    (bars,) = ax.containers
    assert list(bars[0].get_ydata()) == [line["error"] for line in lines[1:]]
    assert "error" in ax.get_ylabel() and "accuracy" in plots.tuning(tuned()).get_ylabel()
    with pytest.raises(DataError, match="one objective"):
        plots.tuning([*lines, *tuned()])


def test_tuning_is_drawn_beside_the_grid():
    line = {"experiment": "tuned against grid", "case": "a, b, c", "tuned": 0.5, "best": 0.75,
            "behind_se": 0.1, "ratio": 0.0625}  # fmt: skip
    ax = MAKER["grid_chart"]([line])
    assert [float(line.get_xdata()[0]) for line in ax.lines[:2]] == [75.0, 50.0]
    ((low, high),) = ax.collections[0].get_segments()
    assert math.isclose(high[0] - low[0], 20.0) and low[1] == high[1]
    assert "0.062" in [text.get_text() for text in ax.texts]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a,\nb, c"]


def test_a_sheet_draws_every_report_once():
    both = [*diagnosed(), *tuned(), *diagnosed(40)]
    assert titles(both) == ["diagnosis", "tuning", "diagnosis"]
    first, _, last = plots.sheet(both).axes
    assert sum(len(line.get_xdata()) for line in first.lines[:2]) == 60
    assert sum(len(line.get_xdata()) for line in last.lines[:2]) == 40
    swept = [{"experiment": "recall", "case": "a", "n": n, "recalled": 1.0} for n in (1, 2)]
    assert titles([*tuned(), *swept]) == ["tuning", "recall"]


@pytest.mark.parametrize("lines", [diagnosed, tuned])
def test_what_is_written_by_hand_is_drawn_by_the_command(tmp_path, capsys, lines):
    records.write(tmp_path / "r.jsonl", records.header(), lines())
    assert command(["plot", str(tmp_path / "r.jsonl")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "r.png")
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")


UNKNOWN = [{"experiment": "mine", "case": "a", "x": 1}]


def copies():
    memory = hopfield.ModernHopfield()
    memory.store(torch.ones(2, 3))
    return hopfield.diagnose(memory).to_records()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (UNKNOWN, ("'mine' of one setting", "hopfield demo", "experiments.run",
                   "diagnose(memory).to_records()", "tune(…).to_records()")),
        ([], ("hold none", "hopfield reproduce")),
        (copies(), ("patterns with margins", "all patterns are equal")),
        ([{"experiment": "tuning"}], ("points of tuning", "tuned.to_records()")),
    ],
    ids=["unknown", "none", "copies", "cut"],
)  # fmt: skip
def test_the_command_says_what_can_be_drawn(tmp_path, capsys, lines, said):
    records.write(tmp_path / "r.jsonl", records.header(), lines)
    assert command(["plot", str(tmp_path / "r.jsonl")]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and all(each in error for each in said), error


def test_the_command_says_how_to_write_records_of_ones_own(tmp_path, capsys):
    (tmp_path / "r.jsonl").write_text(records.to_json_lines(diagnosed()))
    assert command(["plot", str(tmp_path / "r.jsonl")]) == 1
    assert "experiments.records.write(path, header(), records)" in capsys.readouterr().err
    old = {"experiment": "header", "format": 0}
    (tmp_path / "r.jsonl").write_text(records.to_json_lines([old]))
    assert command(["plot", str(tmp_path / "r.jsonl")]) == 1
    assert "by the command or script that wrote it" in capsys.readouterr().err


DRAWS = [plots.margins, plots.tuning]


@pytest.mark.parametrize("wrong", [None, 3, [], [1, 2], [{"experiment": "diagnosed pattern"}],
                                   [{"experiment": "tuning"}]])  # fmt: skip
@pytest.mark.parametrize("draw", DRAWS)
def test_what_is_no_record_is_refused(draw, wrong):
    with pytest.raises(DataError, match="to_records"):
        draw(wrong)


def test_margins_of_copies_alone_are_refused():
    with pytest.raises(DataError, match="all patterns are equal"):
        plots.margins(copies())


def test_gaussian_patterns_have_no_negative_margin_under_the_distance():
    """The zero line is where it says: all are above it."""
    memory = hopfield.ModernHopfield(8.0, similarity="euclidean")
    memory.store(gaussian(30))
    ax = plots.margins(hopfield.diagnose(memory).to_records())
    assert min(ax.lines[0].get_ydata()) > 0 and set(ax.lines[2].get_ydata()) == {0}
