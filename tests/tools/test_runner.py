"""The runner repeats nothing that is recorded, and any number of processes writes one file."""

import functools
import json
import math
import multiprocessing
import os
import re
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import hopfield
from hopfield import ClassicalHopfield, metrics
from hopfield.errors import FileFormatError, HopfieldError, OptionError
from hopfield.experiments import Recall, Setup, Task, plan, recall, records, run, sweep
from hopfield.experiments.identity import UncomparableError, fingerprint

HEBB = Setup("Hebb", hopfield.ClassicalHopfield)
DENSE = Setup("dense", hopfield.DenseHopfield)
TASKS = plan(recall, sweep(Recall(40, draws=2), n=[2, 4, 6]), [HEBB, DENSE])
QUIET = {"progress": lambda text: None}


def counted(config, setup):
    """An experiment of several records that writes down which n it ran."""
    with Path(setup.name).open("a") as calls:
        calls.write(f"{config.n} ")
    return ({"experiment": "counted", "case": str(part), "n": config.n} for part in range(2))


def broken(config, setup):
    raise RuntimeError("broken")


def test_records_come_in_the_order_of_the_tasks_and_name_them(tmp_path):
    lines = run(TASKS, tmp_path / "r.jsonl", **QUIET)
    assert [(line["case"], line["n"]) for line in lines] == [
        (case, n) for case in ("Hebb", "dense") for n in (2, 4, 6)
    ]
    head, kept = records.read(tmp_path / "r.jsonl")
    assert kept == lines and {"hopfield", "torch", "numpy"} <= head.keys()
    assert {"units", "draws", "seed", "recalled"} <= lines[0].keys()
    assert len({line["task"] for line in lines}) == 6


def test_processes_make_the_same_file_as_one(tmp_path):
    run(TASKS, tmp_path / "one.jsonl", **QUIET)
    run(TASKS, tmp_path / "two.jsonl", processes=2, **QUIET)
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()


@pytest.fixture
def calls(tmp_path):
    """The setup of `counted`, and a function that returns which n it ran since the last call."""
    path = tmp_path / "calls"

    def since():
        ran = path.read_text() if path.exists() else ""
        path.write_text("")
        return [int(n) for n in ran.split()]

    return Setup(str(path), hopfield.ClassicalHopfield), since


def test_what_is_there_is_not_run_again(tmp_path, calls):
    setup, ran = calls
    path = tmp_path / "r.jsonl"
    first = run(plan(counted, sweep(Recall(), n=[1, 2]), setup), path, **QUIET)
    again = run(plan(counted, sweep(Recall(), n=[3, 2, 1]), setup), path, **QUIET)
    assert ran() == [1, 2, 3] and len(first) == 4
    assert [line["n"] for line in again] == [3, 3, 2, 2, 1, 1]


def test_another_seed_setup_or_tag_is_another_task():
    one = Task(recall, Recall(), HEBB)
    others = [
        Task(recall, Recall(seed=1), HEBB),
        Task(recall, Recall(), DENSE),
        Task(recall, Recall(), HEBB, {"result": "a"}),
        Task(counted, Recall(), HEBB),
    ]
    assert len({each.identity for each in (one, *others)}) == 5
    assert one.identity == Task(recall, Recall(), HEBB).identity


def test_a_run_that_was_cut_off_goes_on(tmp_path, calls):
    setup, ran = calls
    path = tmp_path / "r.jsonl"
    tasks = plan(counted, sweep(Recall(), n=[1, 2, 3]), setup)
    whole = run(tasks, path, **QUIET)
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:4]) + lines[4][:9], "utf-8")  # task 1 whole, 2 half, then torn
    ran()
    assert run(tasks, path, **QUIET) == whole
    assert ran() == [2, 3]
    assert path.read_text("utf-8") == "".join(lines)


SOURCE = """
from hopfield import metrics

FACTOR = {factor}

def helper(scores):
    return scores * FACTOR{comment}

class Score:
    def __init__(self, power):
        self.power = power

    def __call__(self, originals, states, least={least}):
        return helper(metrics.hamming_accuracy(originals, states).clamp(min=least)) ** self.power

def closure(bound):
    return lambda originals, states: bound * metrics.hamming_accuracy(originals, states)

score = Score({power})
closed = closure({bound})
"""
ORIGINAL = {"factor": 1.0, "least": 0.0, "power": 1, "bound": 1.0, "comment": ""}


def _task(name, **changes):
    """A task of a user's script, as it is after these changes."""
    names = {"__name__": "script"}
    exec(SOURCE.format(**{**ORIGINAL, **changes}), names)
    return Task(recall, Recall(40, 2, draws=1), Setup("mine", ClassicalHopfield,
                                                      measure=names[name]))  # fmt: skip


@pytest.mark.parametrize(
    ("name", "change"),
    [("score", {"factor": 0.5}), ("score", {"least": 0.1}), ("score", {"power": 2}),
     ("closed", {"bound": 0.5})],
    ids=["a global that a helper reads", "a default", "an attribute", "a closure"],
)  # fmt: skip
def test_records_are_not_reused_after_the_users_code_changed(tmp_path, name, change):
    path = tmp_path / "r.jsonl"
    one, changed = _task(name), _task(name, **change)
    assert one.description == changed.description, "premise: only the code differs"
    (before,) = run([one], path, **QUIET)
    said = []
    (after,) = run([changed], path, progress=said.append)
    assert said[0].startswith("1 tasks are run again") and before["task"] != after["task"]
    assert records.read(path)[1] == [after], "the outdated record is gone"
    assert run([changed], path, progress=said.append) == [after] and len(said) == 4


def test_records_are_reused_where_only_comments_changed():
    assert _task("score").identity == _task("score", comment="  # as published").identity


def test_what_cannot_be_compared_is_run_again_and_that_is_said(tmp_path):
    stream = iter([torch.ones(2), torch.zeros(2)])
    measure = (lambda values: lambda originals, states: next(values))(each for each in stream)
    task = Task(recall, Recall(40, 2, draws=1), Setup("mine", ClassicalHopfield, measure=measure))
    said = []
    shares = [run([task], tmp_path / "r.jsonl", progress=said.append)[0]["recalled"]
              for _ in range(2)]  # fmt: skip
    assert shares == [1.0, 0.0] and sum("cannot be compared" in text for text in said) == 1
    assert len(records.read(tmp_path / "r.jsonl")[1]) == 1


@pytest.mark.parametrize(
    "setups",
    [[HEBB, HEBB], [Setup("mine", lambda: ClassicalHopfield()),
                    Setup("mine", lambda: ClassicalHopfield("hebbian"))],
     [Setup("mine", lambda **no: Opaque(no)), Setup("mine", lambda **no: Opaque(2))]],
    ids=["equal", "of one name", "opaque"],
)  # fmt: skip
def test_two_tasks_that_cannot_be_told_apart_are_refused(setups):
    with pytest.raises(OptionError, match="Give their setups different names"):
        run(plan(recall, Recall(), setups), **QUIET)


class Opaque(ClassicalHopfield):
    """A memory that does not tell what it was made of."""

    def __init__(self, part):
        super().__init__()
        self.part = part


class Power:
    """A user's memory, which returns a power of the cue: it recalls ±1 for odd exponents."""

    def __init__(self, exponent):
        self.exponent = exponent

    def store(self, patterns):
        pass

    def retrieve(self, cue):
        return SimpleNamespace(state=cue.state**self.exponent)


@pytest.mark.parametrize("form", ["lambda", "parameters"])
def test_setups_of_one_name_are_told_apart_by_their_parameters(tmp_path, form):
    def setup(exponent):
        if form == "lambda":
            return Setup("mine", lambda: Power(exponent))
        return Setup("mine", partial(Power, exponent=exponent))

    config, path = Recall(20, 2, damage=0.0), tmp_path / "r.jsonl"
    for exponent, share in ((2, 0.0), (3, 1.0)):
        (line,) = run(plan(recall, config, setup(exponent)), path, **QUIET)
        assert line["recalled"] == share
        told = line["memory"] if form == "lambda" else line["exponent"]
        assert told == (f"Power(exponent={exponent})" if form == "lambda" else exponent)
    assert [line["recalled"] for line in records.read(path)[1]] == [1.0, 0.0]
    assert len(run(plan(recall, config, [setup(2), setup(3)]), **QUIET)) == 2


VALUES = [
    1, 1.0, "1", None, (1,), [1], {1: 2}, {1, 2}, torch.ones(2), torch.ones(2, 1), np.ones(2),
    np.float32(1), torch.float32, len, math.sin, ClassicalHopfield, metrics.recalled, Path("a"),
    partial(ClassicalHopfield, "storkey"), Recall(), Recall(n=11), HEBB, torch.nn.Linear(1, 1),
    functools.cache(counted), HEBB.build, json, object(), re.compile("a"),
]  # fmt: skip


def test_fingerprints_tell_values_apart_and_are_the_same_in_another_process():
    seen = [fingerprint(value) for value in VALUES]
    assert len(set(seen)) == len(seen)
    code = "import test_runner; print(*map(test_runner.fingerprint, test_runner.VALUES[:-6]))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "5"}
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                           cwd=Path(__file__).parent, env=environment)  # fmt: skip
    assert other.stdout.split() == seen[:-6], other.stderr


@pytest.mark.parametrize("value", [open(os.devnull), threading.Lock(), iter([1]), torch.Generator(),
                                   np.array([object()])])  # fmt: skip
def test_what_has_hidden_state_has_no_fingerprint(value):
    with pytest.raises(UncomparableError):
        fingerprint([value])


def test_each_record_is_on_the_disk_when_it_is_told(tmp_path):
    path = tmp_path / "r.jsonl"
    seen = []
    run(TASKS[:3], path, progress=lambda text: seen.append(len(path.read_text().splitlines())))
    assert seen == [2, 3, 4, 4]


def test_an_experiment_that_fails_leaves_the_records_before_it(tmp_path):
    path = tmp_path / "r.jsonl"
    with pytest.raises(RuntimeError, match="broken"):
        run([*TASKS[:2], Task(broken, Recall(), HEBB)], path, **QUIET)
    assert len(records.read(path)[1]) == 2


def test_what_cannot_be_sent_to_a_process_is_named_before_one_is_started(monkeypatch):
    monkeypatch.setattr("hopfield.experiments.runner.ProcessPoolExecutor", None)
    setup = Setup("own", lambda: hopfield.ClassicalHopfield())
    tasks = plan(recall, sweep(Recall(40, draws=1), n=[2, 4]), [HEBB, setup])
    with pytest.raises(OptionError, match="top level of a module"):
        run(tasks, processes=2, **QUIET)


def slow(config, setup):
    """Is still at work when another fails."""
    if config.n == 1:
        raise RuntimeError("broken")
    time.sleep(30)
    Path(setup.name).touch()


def test_nobody_waits_for_what_is_lost(tmp_path):
    """Where one process fails, or the user interrupts, the others end at once."""
    late = tmp_path / "late"
    tasks = plan(slow, sweep(Recall(), n=[2, 1]), Setup(str(late), hopfield.ClassicalHopfield))
    with pytest.raises(RuntimeError, match="broken"):
        run(tasks, processes=2, **QUIET)
    assert not late.exists() and not multiprocessing.active_children()


def test_records_of_other_versions_are_not_mixed(tmp_path):
    path = tmp_path / "r.jsonl"
    run(TASKS[:1], path, **QUIET)
    head, *rest = path.read_text("utf-8").splitlines()
    path.write_text("\n".join([json.dumps(json.loads(head) | {"torch": "0.1"}), *rest]) + "\n")
    with pytest.raises(FileFormatError, match=r"begun with torch 0.1.*another path"):
        run(TASKS[:1], path, **QUIET)


def test_progress_goes_to_standard_error(capsys):
    run(TASKS[:1])
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("[1/1] recall: Hebb, units=40, n=2")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: Setup(3, ClassicalHopfield), "name must be text, but is 3"),
        (lambda: Setup("a", "hebbian"), "make must be a function or a class"),
        (lambda: Setup("a", ClassicalHopfield, patterns="digits"), "patterns must be a function"),
        (lambda: Setup("a", ClassicalHopfield, corrupt="flip"), "corrupt must be a function"),
        (lambda: Setup("a", ClassicalHopfield, measure=0.9), "measure must be a function"),
        (lambda: plan(recall, Recall(), "hebbian"), "setups must be a Setup, or a list of them"),
        (lambda: plan(recall, "n=3", Setup("a", ClassicalHopfield)), "configs must be a config"),
        (
            lambda: plan("recall", Recall(), Setup("a", ClassicalHopfield)),
            "experiment must be a function",
        ),
        (lambda: run([], processes=0), "processes must be at least 1, but is 0"),
        (lambda: run([3]), "tasks must be what plan"),
    ],
)
def test_mistakes_are_named_before_anything_is_run(wrong, words):
    with pytest.raises(HopfieldError, match=words):
        wrong()


def test_a_file_of_records_needs_a_folder(tmp_path):
    for path in (tmp_path, tmp_path / "none" / "x.jsonl"):
        with pytest.raises(FileFormatError, match="path must be a file in a folder that is there"):
            run([], path)
