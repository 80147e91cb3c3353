"""`hopfield store` and `recall` on tables and arrays: rows come back in their units."""

import csv
import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import hopfield
from hopfield.cli import commands

TABLE = """id,city,length,width,weight,kind
0,Bern,5.1,3.5,140,small
1,Rome,4.9,3.0,130,small
2,Oslo,7.0,3.2,470,large
3,Lima,6.4,3.1,450,large
4,Cork,6.3,3.3,600,large
5,Graz,5.8,2.7,510,large
"""
ROWS = np.random.default_rng(0).normal(size=(40, 12)).astype(np.float32)


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Run a command in an empty folder, and return what it prints as JSON."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(TABLE)

    def run(typed, json_is_printed=True):
        status = commands.run([*typed.split(), *["--json"] * json_is_printed])
        out, err = capsys.readouterr()
        assert status == 0 and err == "", err
        return json.loads(out) if json_is_printed else out

    return run


def answers(facts):
    return [answer["answer"] for answer in facts["cues"]]


def test_a_table_is_recalled_by_some_of_its_columns(run):
    """Columns are compared in standard deviations; those that a cue lacks are completed."""
    facts = run("store t.csv -o t.hop --names city --values kind")
    assert facts["shape"] == [3]  # row numbers and text are no part of the pattern
    with open("cue.csv", "w") as file:
        file.write("width,length\n3.1,6.4\n3.5,5.1\n")
    facts = run("recall t.hop cue.csv -o out")
    assert answers(facts) == ["Lima", "Bern"]
    assert [answer["value"] for answer in facts["cues"]] == ["large", "small"]
    assert facts["cues"][0]["matches"][0]["row"] == {"id": "3"}
    with open("out/retrieved.csv") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["weight"]) for row in rows] == pytest.approx([450, 140], rel=0.01)
    assert [float(row["length"]) for row in rows] == pytest.approx([6.4, 5.1], rel=1e-6)


@pytest.mark.parametrize("code", ["12345678901234567890", "007", "1234567890123456789.5"])
def test_codes_keep_their_digits(run, code):
    with open("codes.csv", "w") as file:
        file.write(f"name,length,code\na,1,{code}\nb,2,3\n")
    run("store codes.csv -o codes.hop --names name --columns length --values code")
    facts = run("recall codes.hop codes.csv --names name")
    assert [answer["value"] for answer in facts["cues"]] == [code, "3"]


def test_a_unit_does_not_matter_unless_asked(run):
    with open("grams.csv", "w") as file:
        file.write(TABLE.replace(",weight,", ",grams,"))
    with open("cue.csv", "w") as file:  # the length of Oslo, the weight of Graz's neighbour
        file.write("length,width,weight\n7.0,3.2,505\n")
    run("store t.csv -o scaled.hop --names city")
    run("store t.csv -o raw.hop --names city --unscaled")
    assert answers(run("recall scaled.hop cue.csv")) == ["Oslo"]
    assert answers(run("recall raw.hop cue.csv")) == ["Graz"]


def test_empty_cells_are_unknown_if_asked(run):
    with open("gaps.csv", "w") as file:
        file.write("city,length,width,weight\nA,5.1,,140\nB,NA,3.0,130\nC,7.0,3.2,470\n")
    run("store gaps.csv -o g.hop --names city --missing nan")
    assert hopfield.load("g.hop").known.tolist() == [
        [True, False, True], [False, True, True], [True] * 3,
    ]  # fmt: skip
    assert run("info g.hop")["gaps"] is True
    with open("cue.csv", "w") as file:
        file.write("city,length,width,weight\nx,,3.2,\ny,5.1,,\n")
    facts = run("recall g.hop cue.csv --missing nan --names city")
    assert answers(facts) == ["C", "A"]
    assert [answer["cue"] for answer in facts["cues"]] == ["x", "y"]


def test_columns_can_be_chosen(run):
    assert run("store t.csv -o t.hop --columns weight,id")["shape"] == [2]
    assert run("info t.hop")["columns"] == ["weight", "id"]
    assert hopfield.load("t.hop").names[0] == "t.csv[0]"


def test_a_table_is_updated_in_its_scale(run):
    run("store t.csv -o t.hop --names city")
    before = hopfield.load("t.hop").metadata
    with open("more.csv", "w") as file:
        file.write("city,length,width,weight\nKyiv,500,3,400\nBern,5.2,3.5,140\n")
    facts = run("store more.csv -o t.hop --names city --update")
    assert (facts["patterns"], facts["replaced"]) == (7, 1)
    assert hopfield.load("t.hop").metadata == before
    assert answers(run("recall t.hop more.csv --names city")) == ["Kyiv", "Bern"]


def test_parquet(run):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = arrow.table(
        {"city": ["a", "b", "c"], "x": [1.0, 2.0, 3.0], "n": [4, 9, 5], "day": [None, "x", "y"]}
    )
    parquet.write_table(table, "t.parquet")
    assert run("store t.parquet -o p.hop --names city")["shape"] == [2]
    facts = run("recall p.hop t.parquet --names city")
    assert answers(facts) == ["a", "b", "c"]


def test_a_table_from_standard_input(run, monkeypatch):
    import io
    import sys

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TABLE.encode())))
    assert run("store - -o t.hop --names city")["patterns"] == 6


def _write_arrays(kind):
    names = [f"row {k}" for k in range(len(ROWS))]
    with open("names.txt", "w") as file:
        file.write("\n".join(names))
    if kind == "npy":
        np.save("v.npy", ROWS)
        return "v.npy", "--names names.txt"
    if kind == "npz":
        np.savez("v.npz", embeddings=ROWS, labels=np.arange(40), ids=np.array(names))
        return "v.npz", "--array embeddings --names ids --values labels"
    save_file(
        {"x": torch.from_numpy(ROWS).to(torch.bfloat16), "y": torch.arange(40)}, "v.safetensors"
    )
    return "v.safetensors", "--names names.txt --values y"


@pytest.mark.parametrize("kind", ["npy", "npz", "safetensors"])
def test_arrays(run, kind):
    file, options = _write_arrays(kind)
    assert run(f"store {file} -o v.hop {options}")["shape"] == [12]
    damaged = ROWS + 0.1 * np.random.default_rng(1).normal(size=ROWS.shape).astype(np.float32)
    damaged[:, ::3] = np.nan
    np.save("cues.npy", damaged)
    facts = run("recall v.hop cues.npy --missing nan -o out")
    assert answers(facts) == [f"row {k}" for k in range(40)]
    if "--values" in options:
        assert [answer["value"] for answer in facts["cues"]] == list(range(40))
    completed = np.load("out/retrieved.npy")
    assert completed.shape == ROWS.shape and np.isfinite(completed).all()


def test_a_number_can_mark_what_is_missing(run):
    np.save("v.npy", ROWS)
    run("store v.npy -o v.hop")
    cues = ROWS.copy()
    cues[:, 3:7] = -999
    np.save("cues.npy", cues)
    facts = run("recall v.hop cues.npy --missing -999")
    assert answers(facts) == [f"v.npy[{k}]" for k in range(40)]


def test_masks_of_arrays(run):
    np.save("v.npy", ROWS)
    run("store v.npy -o v.hop")
    cues = ROWS.copy()
    cues[:, 3:7] = 55
    np.save("cues.npy", cues)
    known = np.ones(12, bool)
    known[3:7] = False
    for mask in (known, np.tile(known, (40, 1)).astype(int)):
        np.save("mask.npy", mask)
        facts = run("recall v.hop cues.npy --known mask.npy")
        assert answers(facts) == [f"v.npy[{k}]" for k in range(40)]


@pytest.mark.parametrize("dtype", ["float16", "float64", "int32", "uint8", "bool"])
def test_kinds_of_numbers(run, dtype):
    rows = (np.random.default_rng(0).random((20, 4, 3)) * 200).astype(dtype)
    if dtype == "bool":
        rows = np.random.default_rng(0).random((20, 4, 3)) > 0.5
    np.save("v.npy", rows)
    assert run("store v.npy -o v.hop")["shape"] == [4, 3]
    facts = run("recall v.hop v.npy -o out")
    assert answers(facts) == [f"v.npy[{k}]" for k in range(20)]
    assert np.load("out/retrieved.npy").shape == (20, 4, 3)


def test_a_similarity_and_beta_of_your_own(run):
    np.save("v.npy", ROWS)
    run("store v.npy -o v.hop --similarity cosine --beta 40")
    network = run("info v.hop")["network"]
    assert "cosine" in network and "40" in network


def test_none_of_these_for_rows(run):
    np.save("v.npy", ROWS)
    np.save("others.npy", np.random.default_rng(9).normal(size=(10, 12)))
    run("store v.npy -o v.hop")
    facts = run("recall v.hop others.npy v.npy --alpha .05 -o out")["cues"]
    assert [answer["accepted"] for answer in facts].count(True) in range(40, 43)
    completed = np.load("out/retrieved.npy")
    refused = [not answer["accepted"] for answer in facts]
    assert np.array_equal(np.isnan(completed).all(1), refused)


def test_a_column_of_numbers_and_a_slip_is_kept_with_a_notice(run, capsys, tmp_path):
    """Columns that are chosen need no notice."""
    (tmp_path / "slip.csv").write_text("age,width\n34,3.1\n28,2.9\nabc,3.3\n41,2.7\n")
    assert commands.run("store slip.csv -o a.hop".split()) == 0
    out, err = capsys.readouterr()
    assert out == "Stored 4 rows of 1 column in a.hop.\n"
    assert err == "Kept as text, not in the pattern: 'age' (numbers, but 'abc' in line 4).\n"
    assert run("store slip.csv -o b.hop --columns width")["shape"] == [1]


def test_bytes_that_are_no_utf_8_come_back_as_they_were(run, tmp_path):
    (tmp_path / "l.csv").write_bytes("größe,w\n1,2\n3,4\n".encode("latin-1"))
    run("store l.csv -o l.hop")
    run("recall l.hop l.csv -o out")
    assert (
        (tmp_path / "out/retrieved.csv").read_bytes().startswith("name,größe,w".encode("latin-1"))
    )


def test_one_row_is_not_rows(run):
    np.save("one.npy", ROWS[0])
    assert run("store one.npy -o o.hop", False) == "Stored 1 array of shape 12 in o.hop.\n"
