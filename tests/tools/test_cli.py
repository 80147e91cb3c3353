"""The command line: a user's mistake is one line and no traceback; its files are complete."""

import json
import os
import subprocess
import sys
from importlib import metadata

import numpy as np
import pytest
from PIL import Image

import hopfield
import quick_demo
from command_line import run as _run
from hopfield import cli
from hopfield.cli import commands
from hopfield.experiments import records
from hopfield_studies import claims, steps
from source_tree import ROOT


def _shell(*arguments, **options):
    command = [sys.executable, "-m", "hopfield", *arguments]
    return subprocess.run(command, capture_output=True, text=True, **options)


@pytest.fixture
def quick(monkeypatch):
    """The demo in its quick form, of two steps."""
    plan = steps.plan

    def short(seed):
        return [s for s in plan(seed, quick=True) if s.title in ("the images", "negatives")]

    monkeypatch.setattr(steps, "plan", short)


@pytest.fixture
def sets(tmp_path):
    """Data sets that no demo can be made of, by name."""
    generator = np.random.default_rng(0)
    shapes = {"few": (5, 8, 8), "vectors": (50, 64), "large": (30, 80, 80), "flat": (30, 1, 8)}
    for name, shape in shapes.items():
        np.save(tmp_path / f"{name}.npy", generator.random(shape))
    np.save(tmp_path / "nan.npy", np.full((30, 8, 8), np.nan))
    np.save(tmp_path / "alike.npy", np.full((30, 8, 8), 0.5))
    (tmp_path / "semicolons.csv").write_text("1;2\n3;4\n")
    (tmp_path / "text.npy").write_text("no array")
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "pictures").mkdir()
    for side in (10, 20):
        Image.new("L", (side, side)).save(tmp_path / "pictures" / f"{side}.png")
    return tmp_path


# What is typed ({} is the folder of `sets`), the exit status, and a part of what is said.
MISTAKES = [
    ("demoo", 2, "Did you mean 'demo'?"),
    ("Demo", 2, "No such command 'Demo'"),
    ("help", 2, "No such command 'help'"),
    ("--verison", 2, "--version"),
    ("-v", 2, "No such option: -v"),
    ("-V", 2, "No such option: -V"),
    ("--json demo", 2, "No such option: --json"),
    ("demo --otu x", 2, "--out"),
    ("demo --output x", 2, "--out"),
    ("demo -o x", 2, "No such option: -o"),
    ("demo --outt=x", 2, "--out"),
    ("demo --sed 1", 2, "--seed"),
    ("demo --dta digits", 2, "--data"),
    ("demo --jsn", 2, "--json"),
    ("demo --json=1", 2, "does not take a value"),
    ("demo --out", 2, "requires an argument"),
    ("demo --seed", 2, "requires an argument"),
    ("demo --data", 2, "requires an argument. See hopfield demo --help."),
    ("demoo", 2, "Did you mean 'demo'? See hopfield --help."),
    ("demo --seed x", 1, "whole number from 0 to 2147483647, but is 'x'"),
    ("demo --seed 1.5", 1, "whole number from 0 to 2147483647, but is '1.5'"),
    ("demo --seed=", 1, "whole number from 0 to 2147483647, but is ''"),
    ("demo --seed -1", 1, "whole number from 0 to 2147483647, but is '-1'"),
    ("demo --seed 2147483648", 1, "whole number from 0 to 2147483647, but is '2147483648'"),
    ("demo --beta 4", 2, "No such option: --beta. See hopfield demo --help."),
    ("demo --data https://example.org/a.npy", 1, "file or folder, but there is no 'https"),
    ("demo --data {}/file", 1, "must be a folder, a picture, or end in .npy"),
    ("demo --data nonsense", 1, "but is 'nonsense'"),
    ("demo --data {}/alike.npy", 1, "at least 20 different images"),
    ("demo extra", 2, "extra"),
    ("demo digits", 2, "digits"),
    ("demo --data digit", 1, "Did you mean 'digits'?"),
    ("demo --data Digits", 1, "Did you mean 'digits'?"),
    ("demo --data minst", 1, "Did you mean 'mnist'?"),
    ("demo --data nonsense", 1, "--data must be"),
    ("demo --data {}/missing", 1, "an existing file or folder"),
    ("demo --data {}/missing.npy", 1, "missing.npy"),
    ("demo --data {}/file", 1, ".npy"),
    ("demo --data {}/empty", 1, "must hold images"),
    ("demo --data {}/text.npy", 1, "text.npy"),
    ("demo --data {}/nan.npy", 1, "finite"),
    ("demo --data {}/few.npy", 1, "at least 20 images"),
    ("demo --data {}/vectors.npy", 1, "plain vectors"),
    ("demo --data {}/large.npy", 1, "at most 4096 pixels"),
    ("demo --data {}/flat.npy", 1, "two rows"),
    (
        "demo --data {}/pictures",
        1,
        "10 × 10 pixels and '20.png' has 20 × 20. Bring them to one size",
    ),
    ("demo --data=", 1, "--data must be a name or a path, but is empty"),
    ("demo --out=", 1, "--out must be a folder, but is empty"),
    ("demo --out {}/file", 1, "is a file"),
    ("demo --out {}/file/below", 1, "--out must be a folder"),
    ("demo --out /dev/null/below", 1, "--out must be a folder"),
    ("info nonsense", 1, "NAME_OR_PATH must be"),
    ("info digits mnist", 2, "mnist"),
    ("info --data digits", 2, "--data"),
    ("info --hlep", 2, "--help"),
    ("info {}/missing.csv", 1, "missing.csv"),
]


@pytest.mark.parametrize(("typed", "status", "says"), MISTAKES)
def test_a_mistake_is_one_line(capsys, sets, quick, typed, status, says):
    came, out, err = _run(capsys, *typed.format(sets).split())
    assert came == status
    assert out == ""
    assert err.startswith("hopfield: ") and err.count("\n") == 1 and err.endswith((".\n", "?\n"))
    assert says in err
    assert "Traceback" not in err


@pytest.mark.parametrize("typed", ["demo --otu x", "info nonsense"])
def test_the_installed_program_says_the_same(typed):
    done = _shell(*typed.split())
    assert done.returncode in (1, 2)
    assert done.stdout == "" and done.stderr.startswith("hopfield: ")
    assert done.stderr.count("\n") == 1


def test_what_needs_no_memory_does_not_load_torch():
    code = (
        "import sys; from hopfield.cli import commands; "
        "typed = ('--version', 'demo --help', 'demo -x'); "
        "status = [commands.run(each.split()) for each in typed]; "
        "print(status, sorted({'torch', 'hopfield.memories', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[0, 0, 2] []"


def test_an_interruption_while_it_loads_is_one_line(capsys, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "run", interrupted)
    assert cli.main() == cli.INTERRUPTED
    assert capsys.readouterr() == ("", "hopfield: interrupted.\n")


def _closed(descriptor):
    """`hopfield --version` with one of its streams closed, as `>&-` does."""
    command = [sys.executable, "-m", "hopfield", "--version"]
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {descriptor}>&-', "sh", *command], capture_output=True, text=True
    )


def test_a_closed_output_is_one_line_and_a_closed_error_stream_is_no_error():
    done = _closed(1)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("hopfield: standard output is closed.")
    assert done.stderr.count("\n") == 1
    done = _closed(2)
    assert done.returncode == 0 and hopfield.__version__ in done.stdout


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_output_is_one_line(unbuffered):
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "hopfield", "--version"]
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment
        )
    assert done.returncode == 1 and done.stderr == "hopfield: No space left on device.\n"


def test_version(capsys):
    status, out, err = _run(capsys, "--version")
    assert (status, out, err) == (0, f"hopfield {metadata.version('hopfield')}\n", "")
    assert hopfield.__version__ in out


@pytest.mark.parametrize("typed", ["", "--help", "-h", "demo --help", "demo -h", "info --help"])
def test_help(capsys, typed):
    status, out, err = _run(capsys, *typed.split())
    assert status == 0 and err == ""
    assert out.startswith("Usage: hopfield")


def test_info(capsys):
    status, out, err = _run(capsys, "info")
    assert status == 0 and err == ""
    assert "Number of patterns: 1797" in out
    status, out, _ = _run(capsys, "info", "digits", "--json")
    facts = json.loads(out)
    assert facts["patterns"] == 1797 and facts["shape"] == [8, 8] and facts["labels"] == 10


def test_the_demo_writes_records_and_page(capsys, quick, tmp_path):
    out = tmp_path / "deep" / "demo"
    status, printed, told = _run(capsys, "demo", "--out", str(out), "--seed", "7")
    assert status == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "index.html", "playground.html", "records.jsonl",
    ]  # fmt: skip
    assert printed.splitlines()[-1].endswith(str(out / "index.html"))
    flips = "Flipped reconstructions come from the symmetry of the energy. negatives: 100 % with"
    assert flips in " ".join(printed.replace("\u00a0", " ").split())
    assert [line.split("]")[0] for line in told.splitlines()] == ["[ 1/2", "[ 2/2"]
    head, lines = records.read(out / "records.jsonl")
    assert head["seed"] == 7 and head["data"] == "digits"
    assert {line["experiment"] for line in lines} == {"images", "flips", "claims"}
    assert all(line["seed"] == 7 for line in lines if line["experiment"] != "claims")
    assert "<!doctype html>" in (out / "index.html").read_text("utf-8")


def test_the_demo_as_one_json_object(capsys, quick, tmp_path):
    status, printed, _ = _run(capsys, "demo", "--out", str(tmp_path), "--json")
    told = json.loads(printed)
    assert status == 0 and printed.count("\n") == 1
    assert len(told["claims"]) == len(claims.CLAIMS)
    assert told["page"] == str(tmp_path / "index.html")
    assert told["playground"] == str(tmp_path / "playground.html")
    assert told["records"] == str(tmp_path / "records.jsonl")


def test_an_interruption_is_one_line_and_leaves_the_old_page(capsys, monkeypatch, tmp_path):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(steps, "plan", lambda seed: [steps.Step("the images", interrupted)])
    (tmp_path / "index.html").write_text("old")
    status, out, err = _run(capsys, "demo", "--out", str(tmp_path))
    assert status == cli.INTERRUPTED and out == ""
    assert err.splitlines()[-1] == "hopfield: interrupted." and "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    assert (tmp_path / "index.html").read_text() == "old"


def test_a_full_disk_is_one_line(capsys, quick, monkeypatch, tmp_path):
    def full(path, text):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(records, "write_whole", full)
    status, _, err = _run(capsys, "demo", "--out", str(tmp_path))
    assert status == 1
    assert err.splitlines()[-1].startswith("hopfield: No space left on device")


def test_a_fault_of_the_library_is_not_hidden(quick, monkeypatch, tmp_path):
    monkeypatch.setattr(claims, "judge", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        commands.run(["demo", "--out", str(tmp_path)])


def test_without_matplotlib_it_says_so_before_it_works(capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    status, out, err = _run(capsys, "demo", "--out", str(tmp_path / "demo"))
    assert status == 1 and out == "" and err.count("\n") == 1
    assert "hopfield[plots]" in err
    assert not (tmp_path / "demo").exists()


def test_without_typer_it_says_how_to_get_it(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "typer", None)
    monkeypatch.delitem(sys.modules, "hopfield.cli.commands")
    monkeypatch.delattr(cli, "commands")
    assert cli.main() == 1
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert "pip install 'hopfield[cli]'" in err


def test_a_reader_that_goes_away_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as gone:
        command = [sys.executable, "-m", "hopfield", "--version"]
        done = subprocess.run(command, stdout=gone, stderr=subprocess.PIPE, text=True)
    assert done.stderr == "" and done.returncode == 1


def test_a_terminal_without_greek_is_no_error():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = _shell("info", env=environment)
    assert done.returncode == 0 and "8 ? 8" in done.stdout


def test_single_thread_is_used_and_given_back(capsys, quick, tmp_path):
    before = quick_demo.torch.get_num_threads()
    _run(capsys, "demo", "--out", str(tmp_path))
    assert quick_demo.torch.get_num_threads() == before


def test_the_reference_page_is_up_to_date():
    page = ROOT / "docs" / "cli.md"
    assert page.read_text("utf-8") == commands.reference(), (
        "python -m hopfield.cli.commands > docs/cli.md"
    )
