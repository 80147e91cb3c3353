"""`hopfield reproduce` and `hopfield plot`: what they write and say, and what they refuse."""

import json

import pytest

import quick_demo
from command_line import run as _run
from hopfield.cli import commands
from hopfield.experiments import records
from hopfield_studies import published
from hopfield_studies.published import modern

ALONE = ("--processes", "1")


def test_reproduce_says_how_many_hold_and_writes_records_and_page(capsys, tmp_path):
    asked = ("reproduce", "attention", "--out", str(tmp_path), "--processes", "1", "--seed", "3")
    status, out, err = _run(capsys, *asked)
    assert status == 0 and out.splitlines()[-1] == "1 of 1 results hold."
    assert "[3/3] attention_records" in err
    head, lines = records.read(tmp_path / "records.jsonl")
    assert (head["seed"], head["form"]) == (3, "quick") and lines[0]["seed"] == 3
    assert {"check", "figure", "series", "verdict"} <= {line["experiment"] for line in lines}
    assert "One update is scaled dot-product attention" in (tmp_path / "index.html").read_text()
    assert _run(capsys, *asked)[2] == "", "nothing is measured twice"


def test_reproduce_keeps_the_records_of_other_results(capsys, tmp_path):
    for name in ("attention", "learning-rules", "attention"):
        assert _run(capsys, "reproduce", name, "--out", str(tmp_path), "--processes", "1")[0] == 0
    _, lines = records.read(tmp_path / "records.jsonl")
    assert {line["result"] for line in lines if "task" in line} == {"attention", "learning-rules"}
    judged = {line["result"] for line in lines if "task" not in line}
    assert judged == {"attention", "learning-rules"}
    text = (tmp_path / "index.html").read_text("utf-8")
    assert "2 of 2 results hold" in text and "stable patterns" in text
    out = _run(capsys, "reproduce", "attention", "--out", str(tmp_path), "--seed", "1", *ALONE)[1]
    assert out.splitlines()[-1] == "1 of 1 results hold."
    assert "1 of 1 results hold" in (tmp_path / "index.html").read_text("utf-8"), "of one seed"


def test_reproduce_names_every_result_in_its_help():
    text = " ".join(commands.reference().split()).replace("- ", "-")
    assert all(result.name in text for result in published.RESULTS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[1]\n', "must hold one record per line"),
        ('{"experiment": "header", "format": 1}\n{"a": 1}\n', "without the field 'experiment'"),
        ('{"experiment": "header", "format": 1}\n{"experiment": "a", "trajectories": 1}\n',
         "RECORDS must be complete"),
        ("", "must begin with a header line"),
        ("#", "line 1 column 1 (char 0). Name a file that a run wrote.\n"),
    ],
)  # fmt: skip
def test_plot_says_what_is_wrong_with_a_file(capsys, tmp_path, content, said):
    path = tmp_path / "r.jsonl"
    path.write_text(content)
    status, _, err = _run(capsys, "plot", str(path))
    assert status == 1 and said in err and len(err.splitlines()) == 1


def test_plot_says_that_a_file_or_folder_is_not_there(capsys, tmp_path):
    asked = {"none.jsonl": "is not there", ".": "is a folder. Name a file", "": "is a folder"}
    for name, said in asked.items():
        assert said in _run(capsys, "plot", str(tmp_path / name) if name else "")[2]
    (tmp_path / "records.jsonl").write_text(records.to_json_lines([records.header()]))
    assert f"Did you mean {tmp_path / 'records.jsonl'}?" in _run(capsys, "plot", str(tmp_path))[2]
    asked = ("plot", str(tmp_path / "records.jsonl"), "--out", str(tmp_path / "no" / "x.png"))
    assert "--out must be a file in an existing folder" in _run(capsys, *asked)[2]


def test_reproduce_fails_where_a_result_does(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(modern, "FLOAT64", 0.0)
    status, out, _ = _run(capsys, "reproduce", "attention", "--out", str(tmp_path), *ALONE)
    assert status == 1 and out.splitlines()[-1] == "0 of 1 results hold."
    assert "FAILS attention" in out and "largest difference, float64" in out


def test_reproduce_in_json(capsys, tmp_path):
    status, out, _ = _run(
        capsys, "reproduce", "attention", "--json", "--out", str(tmp_path), *ALONE
    )
    said = json.loads(out)
    assert status == 0 and said["results"][0]["holds"] and said["records"].endswith(".jsonl")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("hebbian",), "NAME must be one of hebbian-curve"),
        (("--processes", "0"), "--processes must be a whole number"),
        (("--seed", "x"), "--seed must be a whole number"),
    ],
)
def test_reproduce_refuses_what_it_does_not_know(capsys, tmp_path, arguments, says):
    status, _, err = _run(capsys, "reproduce", *arguments, "--out", str(tmp_path))
    assert status == 1 and says in err and err.count("\n") == 1


def test_plot_draws_any_records(capsys, tmp_path):
    lines = list(quick_demo.lines())
    records.write(tmp_path / "demo.jsonl", records.header(), lines)
    status, out, _ = _run(capsys, "plot", str(tmp_path / "demo.jsonl"))
    assert status == 0 and out.strip() == str(tmp_path / "demo.png")
    assert (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")
    picture = tmp_path / "a.svg"
    assert _run(capsys, "plot", str(tmp_path / "demo.jsonl"), "-o", str(picture))[0] == 0
    assert "<svg" in picture.read_text()


@pytest.mark.parametrize(
    ("name", "out", "says"),
    [("missing.jsonl", "a.png", "is not there"), ("empty.jsonl", "a.png", "nothing to draw"),
     ("empty.jsonl", "a.gif", "must end in .png, .svg, .pdf")],
)  # fmt: skip
def test_plot_refuses_what_it_cannot_draw(capsys, tmp_path, name, out, says):
    records.write(tmp_path / "empty.jsonl", records.header(), [])
    status, _, err = _run(capsys, "plot", str(tmp_path / name), "-o", str(tmp_path / out))
    assert status == 1 and says in err and err.count("\n") == 1
