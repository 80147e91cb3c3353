"""The benchmark of false accepts: its damages, its records, and its page."""

import pytest
import torch

from benchmarks.strangers import __main__ as command
from benchmarks.strangers import cases, page, rates
from hopfield.experiments import records


def small_rows(count=200):
    rows = torch.randn(count, 16, generator=torch.Generator().manual_seed(0))
    return cases.Rows(rows, (4, 4), 100, 100)


@pytest.fixture
def small(monkeypatch):
    """Two sets of few rows, and two damages."""
    monkeypatch.setattr(rates, "load", lambda name: small_rows(300)._replace(stored=200))
    monkeypatch.setattr(rates, "NAMES", ("noise s/2", "half hidden"))
    monkeypatch.setattr(rates, "FEW", (19, 99))


@pytest.mark.parametrize("name", cases.NAMES)
def test_a_damage_changes_every_row_in_its_way(name):
    rows = small_rows()
    damage = cases.damages(cases.unit_of(rows))[name]
    cue = damage(rows.patterns, torch.Generator().manual_seed(1))
    assert cue.shape == rows.patterns.shape
    changed = (cue.state != rows.patterns) if cue.known is None else ~cue.known
    assert changed.any(1).all()
    again = damage(rows.patterns, torch.Generator().manual_seed(1))
    assert again.state.equal(cue.state)


def test_the_plan_has_every_run_once():
    runs = list(rates.plan(False))
    assert len(runs) == len(set(runs))
    cells = len(cases.SETS) * len(cases.NAMES)
    assert len(cases.NAMES) >= 12 and len(cases.SETS) == 4 and rates.SEEDS == 20
    assert sum(run.experiment == "rates" for run in runs) == cells * rates.SEEDS
    assert {run.experiment for run in runs} == {"rates", *rates.BROKEN} == {"rates", *page.BROKEN}
    assert set(rates.plan(True)) <= set(runs) | {
        rates.Run(run.experiment, "embeddings", run.damage, run.seed) for run in runs
    }


def test_the_short_form_is_measured_once_and_goes_on(small, tmp_path, capsys):
    path = tmp_path / "rates.jsonl"
    rates.measure(path, rates.plan(True), seconds=-1)
    assert "goes on" in capsys.readouterr().out and records.read(path)[1] == []
    command.main(["--quick", "--out", str(tmp_path)])
    shown, lines = capsys.readouterr().out, records.read(path)[1]
    command.main(["--quick", "--out", str(tmp_path)])
    assert capsys.readouterr().out == "" and records.read(path)[1] == lines
    assert len(shown.splitlines()) == len(list(rates.plan(True)))
    for line in lines:
        assert 0 <= line["right_accepted"] <= line["accepted_stored"] <= line["stored"] <= 200
        assert 0 <= line["accepted_strangers"] <= line["strangers"]
    false = sum(line["accepted_strangers"] for line in lines if line["experiment"] == "rates")
    alpha = sum(100 * line["alpha"] for line in lines if line["experiment"] == "rates")
    assert alpha / 2 < false < 2 * alpha


def test_a_set_that_is_not_on_disk_is_left_out(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(cases.data, "is_on_disk", lambda name, split: False)
    cases.load.cache_clear()
    rates.measure(tmp_path / "rates.jsonl", iter([rates.Run("rates", "mnist", "noise s", 0)] * 2))
    assert capsys.readouterr().out.count("mnist: left out: mnist must be on disk") == 1


def test_shares_and_standard_errors_of_a_cell():
    line = {"alpha": 0.1, "n": 50, "strangers": 100, "accepted_strangers": 4, "stored": 50,
            "accepted_stored": 20, "right_accepted": 15, "right": 40}  # fmt: skip
    cell = page.cell_of([line, line | {"accepted_strangers": 10, "accepted_stored": 0,
                                       "right_accepted": 0}])  # fmt: skip
    assert cell.false == pytest.approx(0.07) and cell.accepted == 0.2
    assert (cell.right, cell.plain) == (0.75, 0.8)
    assert cell.error == pytest.approx((0.09 * (1 / 50 + 1 / 100) / 2) ** 0.5)
    assert cell.z(0.1) == pytest.approx(-0.03 / cell.error)
    nothing = line | {"accepted_stored": 0, "right_accepted": 0}
    assert page.cell_of([nothing]).right is None


def test_the_page_and_its_picture_are_what_the_records_say():
    assert page.PAGE.read_text("utf-8") == page.text(page.RESULTS)
    assert page.PICTURE.read_text("utf-8") == page.picture(page.RESULTS)
    shown = page.GUIDE.read_text("utf-8")
    assert shown == page.guide(shown, page.RESULTS)


def test_the_records_keep_what_is_promised():
    """False accepts are near α in all cells, and accepted cues are right where cues are usable."""
    found = page.cells(records.read(page.RESULTS / "rates.jsonl")[1])
    assert len(found) == len(cases.SETS) * len(cases.NAMES) * len(rates.ALPHAS)
    z = {key: cell.z(key[2]) for key, cell in found.items()}
    assert sum(abs(each) <= 2 for each in z.values()) >= 0.9 * len(z) and max(z.values()) <= 3.5
    low = {(case, damage) for (case, damage, _), each in z.items() if each < -3.5}
    assert low <= {("digits", "80 % hidden")}, "equal scores count against a cue"
    least = min(rates.ALPHAS)
    usable = [c for (*_, alpha), c in found.items() if alpha == least and c.plain > 1 / 3]
    assert len(usable) > 0.8 * len(z) / 3
    assert all(cell.right >= page.RIGHT for cell in usable)
