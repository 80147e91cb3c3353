"""`hopfield play --data`: sets, folders and memory files become pictures of the page."""

import numpy as np
import pytest
import torch
from PIL import Image

from hopfield import (
    ClassicalHopfield,
    Entmax,
    ModernHopfield,
    SequenceHopfield,
    Softmax,
    data,
    load,
)
from hopfield.cli import commands
from hopfield_play import served_set
from hopfield_play.served_set import load_set


def save_pictures(folder, sizes, mode="L"):
    folder.mkdir()
    source = np.random.default_rng(0)
    for number, size in enumerate(sizes):
        shape = size if mode == "L" else (*size, 3)
        pixels = source.integers(0, 255, shape, dtype=np.uint8)
        Image.fromarray(pixels, mode).save(folder / f"<b>{number}.png")
    return folder


def rows_of_script(served):
    """Run the expression that the page shows for the rows."""
    return eval(served.script, {"data": data, "load": load, "torch": torch})


def test_digits_have_their_labels():
    served = load_set("digits")
    assert served.rows.shape == (1797, 64) and served.square.side == 8 and served.square.is_full
    assert list(served.labels[:3]) == ["0", "1", "2"]
    assert rows_of_script(served).equal(served.rows)


@pytest.mark.parametrize("sizes", [[(8, 8)] * 3, [(8, 8), (9, 9)], [(8, 12)] * 2, [(90, 90)] * 2])
def test_a_folder_becomes_squares_whose_dark_parts_are_ink(tmp_path, sizes):
    folder = save_pictures(tmp_path / "own", sizes)
    served = load_set(str(folder))
    assert served.square.side == (8 if sizes == [(8, 8)] * 3 else 32) and served.square.is_full
    assert served.labels[0] == "<b>0.png"
    first = data.load(folder / "<b>0.png", size=(served.square.side, served.square.side)).patterns[
        0
    ]
    torch.testing.assert_close(served.rows[0], 1 - first)
    torch.testing.assert_close(rows_of_script(served), served.rows)


def test_a_memory_file_has_its_network_names_and_values(tmp_path):
    memory = ModernHopfield(separation=Entmax(beta=3.0), similarity="dot")
    rows = torch.rand(4, 9, generator=torch.Generator().manual_seed(0))
    memory.store(rows, names=["a", "b", "c", "d"])
    memory.save(tmp_path / "m.hop")
    served = load_set(str(tmp_path / "m.hop"))
    assert served.rows.equal(rows) and list(served.labels) == ["a", "b", "c", "d"]
    assert served.start.settings == {
        "network": "modern", "separation": "entmax", "beta": 3.0, "similarity": "dot", "count": 4,
    }  # fmt: skip
    assert served.start.notes == [] and rows_of_script(served).equal(rows)


def test_a_table_on_disk_is_read(tmp_path):
    pytest.importorskip("lance")
    folder = save_pictures(tmp_path / "own", [(8, 8)] * 3)
    out = tmp_path / "own.lance"
    assert commands.run(["store", str(folder), "--out", str(out), "--size", "8x8"]) == 0
    served = load_set(str(out))
    expected = 1 - data.load(folder).patterns
    torch.testing.assert_close(served.rows, expected)
    torch.testing.assert_close(rows_of_script(served), served.rows)
    assert served.labels[0].endswith("<b>0.png")


def test_values_of_other_sizes_are_mapped_with_their_beta(tmp_path):
    memory = ModernHopfield(separation=Softmax(2.0), similarity="euclidean")
    rows = 10 * torch.rand(4, 6, generator=torch.Generator().manual_seed(0)) - 5
    memory.store(rows, values=["x", "y", "x", "y"])
    memory.save(tmp_path / "m.hop")
    served = load_set(str(tmp_path / "m.hop"))
    assert float(served.rows.min()) == 0 and float(served.rows.max()) == 1
    assert list(served.labels) == ["x", "y", "x", "y"]
    again = ModernHopfield(
        separation=Softmax(served.start.settings["beta"]), similarity="euclidean"
    )
    again.store(served.rows.double())
    cue, low, width = rows[1] + 0.2, rows.min(), rows.max() - rows.min()
    first, second = memory.retrieve(cue.double()), again.retrieve((cue.double() - low) / width)
    torch.testing.assert_close(second.state * width + low, first.state, rtol=0, atol=1e-5)
    torch.testing.assert_close(rows_of_script(served), served.rows)


def test_signs_and_colours(tmp_path, capsys):
    folder = save_pictures(tmp_path / "own", [(6, 8)] * 3, "RGB")
    out = tmp_path / "m.hop"
    assert commands.run(["store", str(folder), "--out", str(out), "--size", "8x6"]) == 0
    served = load_set(str(out))
    assert served.rows.shape == (3, 48) and served.square.side == 8 and not served.square.is_full
    names = {"pixels": torch.arange(64)}
    assert eval(f"pixels{served.square.crop()}", names).equal(served.square.places)
    assert "Colours are shown as grey." in served.start.notes
    torch.testing.assert_close(rows_of_script(served), served.rows)
    assert "<b>0.png" in served.labels[0]
    memory = ClassicalHopfield("storkey", schedule="synchronous")
    signs = torch.tensor([[1.0, -1.0, 1.0, 1.0], [-1.0, -1.0, 1.0, 1.0]])
    memory.store(signs)
    memory.save(out)
    served = load_set(str(out))
    assert served.rows.equal((signs + 1) / 2)
    assert (
        served.start.settings["rule"] == "storkey"
        and served.start.settings["schedule"] == "synchronous"
    )


def test_a_setting_that_the_page_lacks_is_named(tmp_path):
    memory = ModernHopfield(2.0, similarity="cosine")
    memory.store(torch.eye(4))
    memory.save(tmp_path / "m.hop")
    assert "similarity='cosine'" in load_set(str(tmp_path / "m.hop")).start.notes[0]


def sequence(folder):
    memory = SequenceHopfield()
    memory.store(torch.tensor([[1.0, -1.0, 1.0, 1.0] * 8, [1.0, 1.0, -1.0, 1.0] * 8]))
    memory.save(folder / "sequence.hop")


def with_gaps(folder):
    memory = ModernHopfield(2.0, similarity="euclidean")
    memory.store(torch.eye(4)[:3], known=torch.tensor([[True, True, True, False]] * 3))
    memory.save(folder / "gaps.hop")


def wide(folder):
    np.save(folder / "wide.npy", np.zeros((2, 5000), np.float32))


def text_file(folder):
    (folder / "text.hop").write_text("no memory")


def empty_folder(folder):
    (folder / "empty").mkdir()


def damaged(folder):
    save_pictures(folder / "damaged", [(8, 8)] * 2)
    (folder / "damaged" / "<b>1.png").write_bytes(b"no picture")


@pytest.mark.parametrize(
    ("make", "name", "words"),
    [
        (None, "none", "none"), (None, "mnits", "Did you mean 'mnist'?"),
        (sequence, "sequence.hop", "SequenceHopfield"), (with_gaps, "gaps.hop", "gaps"),
        (wide, "wide.npy", "4096"), (text_file, "text.hop", "damaged"),
        (empty_folder, "empty", "holds neither"), (damaged, "damaged", "<b>1.png"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_is_refused_in_one_line(tmp_path, capsys, make, name, words):
    if make:
        make(tmp_path)
    path = name if name == "mnits" else str(tmp_path / name)
    assert commands.run(["play", "--data", path, "--port", "0"]) == 1
    error = capsys.readouterr().err
    assert words in error and error.startswith("hopfield: ") and error.count("\n") == 1


def test_too_many_patterns_are_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(served_set, "MOST_PATTERNS", 2)
    folder = save_pictures(tmp_path / "own", [(8, 8)] * 3)
    for name in (str(folder), "digits"):
        assert commands.run(["play", "--data", name, "--port", "0"]) == 1
        assert "at most 2 patterns" in capsys.readouterr().err
