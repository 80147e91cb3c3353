"""Benchmarks: every entry gives right answers, and the page is what its records say."""

import time
from dataclasses import replace

import pytest
import sklearn.neighbors  # noqa: F401 — draws from `random` as it loads, which no test may
import torch

from benchmarks import __main__ as command
from benchmarks import ceilings, certified_times, compare, harness, load, machine, memory, page
from benchmarks.certified import bounds
from benchmarks.entries import ENTRIES
from benchmarks.harness import Case, Contender, Entry, Target
from hopfield import ModernHopfield, Retrieval
from hopfield.bound import Bound
from hopfield.experiments import records
from hopfield.memories import scan_candidates

ONE = torch.ones(1, dtype=torch.float64)


def _sleep(seconds: float) -> Contender:
    return Contender(lambda: time.sleep(seconds) or ONE)


def _lines(**seconds: float) -> list[dict[str, object]]:
    return [{"case": name, "rounds": [s, s], "seconds": s} for name, s in seconds.items()]


# Two of the three that start an interpreter, as the third does.
HEAVY = {"import", "first-sweep"}
NAMES = [pytest.param(name, marks=[pytest.mark.heavy] * (name in HEAVY)) for name in ENTRIES]


@pytest.mark.parametrize("name", NAMES)
def test_every_way_gives_the_right_answer(name):
    entry = ENTRIES[name]
    case = entry.build(**entry.quick)
    checked = harness.check(name, case)
    assert checked.keys() == case.contenders.keys()
    assert {target.contender for target in entry.targets} <= checked.keys()
    assert all(set(size) == set(entry.quick) for size in entry.sizes)


@pytest.mark.parametrize("wrong", [ONE + 1e-3, ONE * torch.nan, ONE[None]])
def test_a_wrong_answer_is_not_timed(wrong):
    case = Case({"right": Contender(lambda: ONE), "wrong": Contender(lambda: wrong)}, lambda: ONE)
    entry = Entry("one", "", lambda: case, ({},), {})
    with pytest.raises(harness.WrongAnswerError, match="one: wrong"):
        harness.measure(entry, 0, quick=True)


def test_times_are_those_of_one_unit_of_the_workload():
    part = replace(_sleep(0.004), units=0.5)
    case = Case({"whole": _sleep(0.008), "half": part, "said": replace(part, clock=lambda _: 7.0)},
                lambda: ONE)  # fmt: skip
    lines = harness.measure(Entry("one", "", lambda: case, ({},), {}), 0, quick=True)
    assert [line["case"] for line in lines] == ["whole", "half", "said"]
    assert all(line["seconds"] >= 0.008 for line in lines)
    assert lines[2]["seconds"] == 14.0
    assert lines[2]["speed"] == lines[0]["seconds"] / 14


def test_the_quietest_rounds_count(monkeypatch):
    used = iter([1.0, 0.0, 2.0, 0.1, 9.0])
    monkeypatch.setattr(load, "others", lambda since: next(used))
    monkeypatch.setattr(load, "wait", lambda seconds: seconds)
    said = iter(range(100))
    one = Contender(lambda: ONE, clock=lambda _: float(next(said)))
    entry = Entry("one", "", lambda: Case({"one": one}, lambda: ONE), ({},), {})
    (line,) = harness.measure(entry, 0, quick=True, effort=harness.Effort(2, 0.0, patience=9.0))
    assert (line["rounds"], line["others"]) == ([1.0, 3.0], 0.05)
    assert next(used) == 9.0, "premise: it stopped once two rounds were quiet"


def test_what_others_use_is_what_is_not_our_own(monkeypatch):
    since = load.Mark(at=0.0, all=10.0, own=1.0)
    monkeypatch.setattr(load, "mark", lambda: load.Mark(at=2.0, all=13.0, own=2.0))
    assert load.others(since) == 1.0
    assert load.wait(0.0) == 0.0


def test_what_a_path_may_lose_is_a_tenth_or_100_microseconds():
    assert harness.compared([2.2e-3], [2e-3])["allowance"] == pytest.approx(1)
    assert harness.compared([6e-4], [5e-4])["allowance"] == pytest.approx(1)


def test_the_limit_is_the_slower_of_products_and_reading():
    probes = {
        "product": ceilings.Probe(lambda: ONE, amount=100.0, needed=50.0),
        "read": ceilings.Probe(lambda: ONE, amount=10.0, needed=20.0),
    }
    assert ceilings.least_seconds(probes, {"product": [8.0, 2.0], "read": [1.0, 1.0]}) == [4.0, 2.0]
    assert ceilings.least_seconds({}, {}) is None


@pytest.mark.skipif(not memory.RESET.exists(), reason="this system cannot reset a peak")
def test_extra_memory_is_what_a_run_needs_beyond_its_result():
    def run() -> torch.Tensor:
        return torch.ones(2**24).exp()[: 2**22].clone()  # two of 64 MiB, one of 16

    found = memory.extra(run)
    assert found["result_mib"] == 16
    assert 100 < found["extra_mib"] < 140


def test_a_target_is_judged_at_its_worst_size():
    entry = Entry(
        "one", "", lambda n: None, ({"n": 1}, {"n": 2}), {"n": 1}, (Target("b", 2.0, "≥ 2×"),)
    )
    small = [line | {"n": 1} for line in _lines(a=4.0, b=1.0)]
    large = [line | {"n": 2} for line in _lines(a=4.0, b=2.5)]
    (verdict,) = page.verdicts(page.Measured(entry, {}, small + large))
    assert (verdict.value, verdict.line["n"]) == (1.6, 2)


def test_what_is_no_speed_may_be_bounded_by_that_of_another():
    target = Target("b", 1.2, "at most 1.2×", field="extra_mib", over="a")
    entry = Entry("one", "", lambda: None, ({},), {}, (target,))
    one, other = _lines(a=1.0, b=1.0)
    lines = [one | {"extra_mib": 8.0}, other | {"extra_mib": 10.0, "others": 0.0}]
    measured = page.Measured(entry, {}, lines)
    (verdict,) = page.verdicts(measured)
    assert (verdict.value, verdict.word) == (1.25, "**missed**")
    assert page._value(measured, verdict) == "1.25×"


@pytest.mark.parametrize(
    ("found", "share", "word"),
    [(2.0, {}, "met"), (1.8, {"share": 0.9}, "met (less than 15 % short)"),
     (1.8, {}, "**missed**"), (1.6, {"share": 0.9}, "**missed**")],
)  # fmt: skip
def test_a_small_shortfall_counts_as_met_beside_the_limit(found, share, word):
    assert page.Verdict(Target("b", 2.0, "≥ 2×"), share, found).word == word
    strict = page.Verdict(Target("b", 2.0, "≥ 2×", strict=True), share, found)
    assert strict.word == ("met" if found >= 2 else "**missed**")


def test_the_page_is_what_the_records_say():
    native, limited = page.gathered(), page.gathered("avx2")
    assert native, "premise: something was measured"
    assert page.PAGE.read_text("utf-8") == page.text(native, limited)


def test_the_pictures_are_of_these_records():
    found = page.gathered()
    drawings = page.drawings(found)
    assert drawings, "premise: there is something to draw"
    for name, (_, draw, _) in drawings.items():
        draw()
        assert page.digest(found) in (page.IMAGES / f"{name}.svg").read_text("utf-8"), name


def test_records_say_nothing_of_whose_machine_it_was():
    for measured in page.gathered():
        assert not {"host", "hostname", "user", "path"} & measured.head.keys()
        assert measured.head["quick"] is False


def test_bounds_that_do_not_hold_are_counted(monkeypatch):
    monkeypatch.setattr(scan_candidates, "SCAN_WORK", 0)
    held = bounds("gaussian", 400, 60)
    assert (held["queries"], held["violations"], held["wrong_index"]) == (60, 0, 0)
    retrieve = ModernHopfield.retrieve

    def with_narrow_bound(*args: object, **options: object) -> Retrieval:
        answer = retrieve(*args, **options)
        given = answer.bound
        bound = Bound(1e-9 * given.state, 1e-9 * given.energy, given.unread_weight)
        return replace(answer, bound=bound)

    monkeypatch.setattr(ModernHopfield, "retrieve", with_narrow_bound)
    assert bounds("gaussian", 400, 60)["violations"] >= 60


def test_certified_memories_are_compared_with_full_ones(monkeypatch):
    for name, value in (("ROUNDS", 2), ("LONG_ROUNDS", 2), ("LEAST_SECONDS", 1e-5)):
        monkeypatch.setattr(certified_times, name, value)
    plain = list(certified_times.measure(certified_times.Case(200, 16, 3, 400.0)))
    assert [line["case"] for line in plain] == ["update", "retrieve"]
    assert all(line["scanned"] == 1 and line["ratio"] > 0 for line in plain)
    own = certified_times.Case(200, 16, 3, 400.0, "euclidean", "per query")
    masked = list(certified_times.measure(own))
    assert [(line["case"], line["scanned"]) for line in masked] == [("retrieve", 0)]


def test_an_unknown_name_is_refused(capsys):
    with pytest.raises(SystemExit):
        command.main(["nearst"])
    assert "nearest" in capsys.readouterr().err


def test_the_command_line_writes_records(tmp_path, capsys):
    command.main(["hebb", "--quick", "--out", str(tmp_path / "found.jsonl")])
    head, lines = records.read(tmp_path / "found.jsonl")
    assert head["quick"] is True
    assert [line["case"] for line in lines] == ["loop of outer products", "rules"]
    assert "hebb" in capsys.readouterr().out


@pytest.mark.heavy
def test_two_trees_are_compared_row_by_row(tmp_path, capsys):
    compare.run(compare.ROOT, ["hebb"], quick=True, out=tmp_path / "ratios.jsonl")
    _, (line,) = records.read(tmp_path / "ratios.jsonl")
    assert (line["case"], line["way"]) == ("hebb", "rules")
    assert line["before"] > 0 and line["after"] > 0 and line["rounds"] >= compare.ROUNDS
    assert "rules" in capsys.readouterr().out


def test_another_tree_than_named_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="expected the library of"):
        compare.Worker(tmp_path, checks=False)


def test_a_limit_of_instructions_holds_in_the_child_process(tmp_path):
    assert machine.limit() in ("native", *machine.LIMITS)
    with pytest.raises(SystemExit) as ended:
        command.main(["hebb", "--quick", "--isa", "avx2", "--out", str(tmp_path / "rows.jsonl")])
    assert ended.value.code == 0
    head, _ = records.read(tmp_path / "rows.jsonl")
    assert head["limit"] == "avx2"
    assert head["instructions"] in ("AVX2", "DEFAULT", "NO AVX")


def test_a_target_is_not_judged_below_its_floor():
    target = Target("b", 1.0, "≥ 1×", floor=2.0)
    entry = Entry("one", "", lambda: None, ({},), {}, (target,))
    assert page.verdicts(page.Measured(entry, {}, _lines(a=1.0, b=4.0))) == []
    (verdict,) = page.verdicts(page.Measured(entry, {}, _lines(a=2.0, b=4.0)))
    assert verdict.value == 0.5
