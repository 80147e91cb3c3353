"""`hopfield store -o NAME.lance` and all that takes a memory: a table answers as a file does."""

import json
from pathlib import Path

import numpy as np
import pytest

import hopfield
from hopfield.cli import commands
from hopfield.stores import DiskStore
from pictures import make_collection

FLOWERS = """name,kind,length,width,weight
Ada,setosa,5.1,3.5,140
Bo,setosa,4.9,3.0,130
Cy,versicolor,7.0,,470
Dee,versicolor,6.4,3.1,450
Eve,virginica,6.3,3.3,600
"""
MORE = "name,kind,length,width,weight\nBo,setosa,4.8,3.1,131\nFay,virginica,5.8,2.7,510\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder of inputs; nothing is synced, which takes most of the time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hopfield.stores.disk.durable.sync", lambda path: None)
    (tmp_path / "flowers.csv").write_text(FLOWERS)
    (tmp_path / "more.csv").write_text(MORE)
    (tmp_path / "cue.csv").write_text("width,length\n3.1,6.5\n")
    rows = np.random.default_rng(0).normal(size=(60, 12)).astype(np.float32)
    np.save("rows.npy", rows)
    np.save("more.npy", rows[:5] + 1)
    np.save("cues.npy", np.concatenate([rows[:3] + 0.1, -3 * rows[:2]]))
    make_collection(tmp_path / "pics", 9)
    return tmp_path


def typed(capsys, line: str, status: int = 0) -> str:
    """Return what a command prints, or its message."""
    assert commands.run(line.split()) == status, capsys.readouterr().err
    out, err = capsys.readouterr()
    return err if status else out


SESSIONS = {
    "columns": """
store flowers.csv -o M --names name --values kind --missing nan
recall M cue.csv -k 2
store more.csv -o M --update --names name --values kind
recall M cue.csv more.csv -k 3 --json
remove M Ada Fay
remove M --index 0
recall M cue.csv -k 2
verify M --json
store flowers.csv -o M --overwrite --names name --missing nan
recall M cue.csv --json
""",
    "arrays": """
store rows.npy -o M --similarity cosine --beta 9
recall M cues.npy
recall M cues.npy --alpha .1
store more.npy -o M --update
store more.npy -o M --update
recall M cues.npy more.npy --json
verify M --json
""",
    "pictures": """
store pics -o M --size 9x7 --values folder
recall M pics --keep top --json
recall M pics --keep left --alpha .2 -o found
verify M --json
""",
}


@pytest.mark.parametrize("kind", SESSIONS)
def test_a_table_answers_as_a_file(capsys, folder, kind):
    for line in SESSIONS[kind].strip().splitlines():
        answers = [typed(capsys, line.replace("M", name)) for name in ("m.hop", "m.lance")]
        assert answers[0] and answers[0].replace("m.hop", "m.lance") == answers[1], line
    facts = [json.loads(typed(capsys, f"info {name} --json")) for name in ("m.hop", "m.lance")]
    for fact in facts:
        assert fact.pop("bytes") > 100 and fact.pop("file") and fact.pop("network")
    assert facts[0] == facts[1]
    assert "File: 0.0 MB in " in typed(capsys, "info m.lance")


def test_a_table_needs_no_options_after_the_first_command(capsys, folder):
    typed(capsys, "store rows.npy -o m.lance --similarity cosine --beta 9")
    memory = hopfield.load("m.lance")
    assert "Softmax(beta=9.0), similarity='cosine'" in repr(memory)
    memory.calibrate(None, 0.05)
    memory.save("m.lance")
    assert typed(capsys, "recall m.lance cues.npy").count("none of these") == 2


@pytest.mark.parametrize("values", ["kind", "weight"])
def test_values_of_a_large_table_are_counted_without_its_rows(capsys, folder, values, monkeypatch):
    columns = "--columns length,width --missing nan --beta 3"
    typed(capsys, f"store flowers.csv -o m.lance --names name --values {values} {columns}")
    monkeypatch.setattr("hopfield.cli.info.COMPARED", 2)
    sizes, blocks = [], DiskStore.blocks

    def counted(store, size):
        for block in blocks(store, 1):
            sizes.append(len(block))
            yield block

    monkeypatch.setattr(DiskStore, "blocks", counted)
    count = {"kind": 3, "weight": 5}[values]
    assert f"Values: {count} different" in typed(capsys, "info m.lance")
    assert sum(sizes) <= 1, "one block, for the dtype of values"
    monkeypatch.setattr("hopfield.cli.info.MOST_VALUES", 2)
    assert "Values: more than 2 different" in typed(capsys, "info m.lance")


def test_compact_joins_the_files(capsys, folder):
    typed(capsys, "store rows.npy -o m.lance")
    for _ in range(3):
        typed(capsys, "store more.npy -o m.lance --update")
    assert len(list(Path("m.lance/data").iterdir())) == 4
    before = typed(capsys, "recall m.lance cues.npy")
    text = typed(capsys, "compact m.lance")
    assert text.startswith("m.lance: 65 rows, ") and ", before " in text
    assert len(list(Path("m.lance/data").iterdir())) == 1
    assert typed(capsys, "recall m.lance cues.npy") == before
    assert json.loads(typed(capsys, "compact m.lance --json"))["patterns"] == 65


def test_verify_finds_damage_and_exits_with_1(capsys, folder):
    typed(capsys, "store rows.npy -o m.lance")
    typed(capsys, "store rows.npy -o m.hop")
    stored = np.load("rows.npy")[41].tobytes()
    for path in (Path("m.hop"), *Path("m.lance/data").iterdir()):
        content = path.read_bytes()
        at = content.index(stored)
        path.write_bytes(content[:at] + b"\1" + content[at + 1 :])
    assert "1 of 60 rows are damaged: 41." in typed(capsys, "verify m.lance", status=1)
    assert "is damaged" in typed(capsys, "verify m.hop", status=1)
    assert commands.run(["verify", "m.lance", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["damaged"] == [41]
    typed(capsys, "remove m.lance --index 41")
    typed(capsys, "compact m.lance")
    assert typed(capsys, "verify m.lance") == "m.lance: 59 rows, all as they were stored.\n"


def test_a_change_that_is_cut_off_loses_no_row(capsys, folder, monkeypatch):
    typed(capsys, "store rows.npy -o m.lance")
    typed(capsys, "store more.npy -o m.lance --update")

    before = hopfield.load("m.lance")

    def fail(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("hopfield.stores.disk.table.commit", fail)
        typed(capsys, "store more.npy -o m.lance --update", status=130)
    after = hopfield.load("m.lance")
    assert after.names == before.names and not len(after.storage.verify())


MISTAKES = """
recall gone.lance cues.npy | gone.lance must be a table that Memory.save wrote, but is not there
info gone.lance | is not there
verify gone.lance | is not there
compact gone.lance | is not there
remove gone.lance a | is not there
recall other.lance cues.npy | is something else
store rows.npy -o other.lance | is something else
store rows.npy -o no/m.lance | --out must be a file in an existing folder
store rows.npy -o m.lance | --out m.lance exists. Add --update
store rows.npy -o m.lance --update --beta 3 | are for new files
store flowers.csv -o m.lance --update | must fit the memory
store m.lance -o new.hop | or end in .npy
recall m.lance m.lance | or end in .npy
recall m.lance flowers.csv | must fit the memory
remove m.lance rows.npy[3 | Did you mean 'rows.npy[3]'?
remove m.lance --index 3, 5 | Give either names of patterns, or their rows
remove m.lance --index 60 | numbers of rows from 0 to 59
compact m.hop | must be a table, such as faces.lance, but 'm.hop' is a file
recall torn.lance cues.npy | is cut short
recall empty.lance cues.npy | is not there
demo --data m.lance | must hold images
impute m.lance | TABLE must be a file
plot m.lance | RECORDS must be a file
recall foreign.lance cues.npy | another Lance table
recall rows.lance cues.npy | holds rows alone
"""


def test_a_name_with_line_breaks_stays_in_its_line(capsys, folder):
    Path("two.csv").write_text('name,a,b\n"one\nname",1,2\n"two\tnames",2,3\n')
    typed(capsys, "store two.csv -o two.lance --names name")
    lines = typed(capsys, "recall two.lance two.csv --names name").splitlines()
    assert [line.split("  ")[0] for line in lines] == ["cue", "one name", "two names"]
    assert len({len(line) for line in lines[1:]}) == 1


def test_torchrun_shares_recall_only(capsys, folder, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "2")
    for line in ("store rows.npy -o m.lance", "info m.lance", "--help"):
        assert typed(capsys, line, status=2).startswith("hopfield: torchrun shares the work of")
    assert not Path("m.lance").exists()
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert typed(capsys, "store rows.npy -o m.lance")


def test_a_mistake_is_one_line(capsys, folder):
    import lance
    import pyarrow

    for name in ("m.lance", "torn.lance", "m.hop"):
        typed(capsys, f"store rows.npy -o {name}")
    DiskStore("rows.lance").append(hopfield.load("m.hop").patterns)
    lance.write_dataset(pyarrow.table({"a": [1]}), "foreign.lance")
    for name in ("other.lance", "empty.lance"):
        Path(name).mkdir()
    Path("other.lance/file").write_text("text")
    for path in Path("torn.lance/data").iterdir():
        path.write_bytes(b"")
    for line in MISTAKES.strip().splitlines():
        command, says = line.split(" | ")
        message = typed(capsys, command, status=1)
        assert message.startswith("hopfield: ") and message.count("\n") == 1, message
        assert says in message, message
    assert len(hopfield.load("m.lance")) == 60 and not Path("gone.lance").exists()
