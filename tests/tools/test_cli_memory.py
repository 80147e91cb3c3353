"""`hopfield store`, `recall`, `info`, `remove` on pictures: names and pictures come back."""

import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import hopfield
from command_line import run
from pictures import make_collection, scene, write

COUNT = 24


def run_json(capsys, *arguments):
    status, out, err = run(capsys, *arguments, "--json")
    assert (status, out.count("\n")) == (0, 1), err
    return json.loads(out)


@pytest.fixture
def collection(tmp_path, monkeypatch):
    """A working folder with a folder of pictures, of many sizes, formats and rotations."""
    monkeypatch.chdir(tmp_path)
    make_collection(tmp_path / "pics", COUNT)
    return tmp_path


@pytest.fixture
def memory(collection, capsys):
    assert run(capsys, "store", "pics", "-o", "m.hop", "--size", "24x32")[0] == 0
    return collection / "m.hop"


def paths(folder):
    return sorted(path.as_posix() for path in folder.rglob("*.*"))


def recalled(facts):
    return {answer["cue"]: answer["answer"] for answer in facts["cues"]}


def assert_each_finds_itself(facts, count=COUNT):
    assert len(facts["cues"]) == count
    assert [cue for cue, answer in recalled(facts).items() if answer != cue] == []


def test_pictures_are_stored_under_their_paths(memory):
    loaded = hopfield.load(memory)
    assert sorted(loaded.names) == [p.removeprefix(f"{memory.parent}/") for p in
                                    paths(memory.parent / "pics")]  # fmt: skip
    assert loaded.patterns.shape == (COUNT, 32 * 24 * 3)  # width × height, with colours
    assert loaded.metadata["rows"] == {"kind": "pictures", "shape": [32, 24, 3]}
    assert 0 <= loaded.patterns.min() and loaded.patterns.max() <= 1


@pytest.mark.parametrize("side", ["top", "bottom", "left", "right"])
def test_a_half_is_enough(capsys, memory, side):
    assert_each_finds_itself(run_json(capsys, "recall", "m.hop", "pics", "--keep", side))


@pytest.mark.heavy
@pytest.mark.parametrize("options", [[], ["--mode", "L"], ["--size", "32x32"]], ids=str)
def test_three_hundred_pictures_are_recalled_by_half(capsys, tmp_path, monkeypatch, options):
    monkeypatch.chdir(tmp_path)
    make_collection(tmp_path / "pics", 300)
    assert run(capsys, "store", "pics", "-o", "m.hop", *options)[0] == 0
    for side in ("top", "left"):
        answers = recalled(run_json(capsys, "recall", "m.hop", "pics", "--keep", side))
        assert len(answers) == 300
        assert sum(cue == answer for cue, answer in answers.items()) >= 297


def test_what_is_hidden_does_not_count(capsys, memory):
    """The hidden half may hold anything; the completed picture shows what was stored there."""
    name = "pics/album 2/002.png"
    with Image.open(name) as image:
        assert image.mode == "RGB", "premise"
        image.paste((255, 0, 0), (0, (image.height + 1) // 2, image.width, image.height))
        image.save("cue.png")
    [answer] = run_json(capsys, "recall", "m.hop", "cue.png", "--keep", "top", "-o", "out")["cues"]
    assert answer["answer"] == name
    with Image.open(answer["file"]) as image:
        completed = np.asarray(image) / 255
    stored = hopfield.load(memory).patterns[answer["matches"][0]["index"]]
    assert np.abs(completed - stored.reshape(32, 24, 3).numpy())[:15].max() < 0.01
    assert np.abs(completed - stored.reshape(32, 24, 3).numpy())[17:].max() < 0.01


@pytest.mark.parametrize("side", ["top", "bottom", "left", "right"])
def test_a_file_can_be_a_half(capsys, memory, side):
    """A torn or cut picture: its file is the half, and is completed."""
    for name in ("pics/album 2/002.png", "pics/album 1/001.jpg"):
        with Image.open(name) as image:
            width, height = image.size
            box = {
                "top": (0, 0, width, height // 2),
                "bottom": (0, height // 2, width, height),
                "left": (0, 0, width // 2, height),
                "right": (width // 2, 0, width, height),
            }[side]
            image.crop(box).save("half.png")  # fmt: skip
        facts = run_json(capsys, "recall", "m.hop", "half.png", "--half", side, "-o", "out")
        assert facts["cues"][0]["answer"] == name
    sheet = np.asarray(Image.open("out/sheet.png").convert("RGB")).astype(int)
    tinted = np.abs(sheet - [184, 217, 242]).max(-1) <= 2
    assert 0.4 < tinted.sum() / (2 * 24 * 32 * 16) < 0.6, "both the original and the cue are halves"


def test_a_mask_says_what_is_known(capsys, memory):
    """White is known. A mask of another size is resized; a pixel in part unknown is unknown."""
    mask = np.zeros((100, 60), np.uint8)
    mask[:61] = 255
    Image.fromarray(mask).save("mask.png")
    assert_each_finds_itself(run_json(capsys, "recall", "m.hop", "pics", "--known", "mask.png"))
    run(capsys, "recall", "m.hop", "pics/album 0/000.png", "--known", "mask.png", "-o", "out")
    sheet = np.asarray(Image.open("out/sheet.png").convert("RGB"))
    tinted = (np.abs(sheet.astype(int) - [184, 217, 242]).max(-1) <= 2).any(1).sum()
    assert tinted == 4 * (32 - 61 * 32 // 100)  # pixels are enlarged four times


def test_transparent_pixels_of_a_cue_can_be_unknown(capsys, memory):
    name = "pics/album 1/001.jpg"
    with Image.open(name) as stored:
        image = stored.convert("RGBA")
    image.paste((9, 9, 9, 0), (0, 0, image.width, image.height * 2 // 3))
    image.save("cue.png")
    [answer] = run_json(capsys, "recall", "m.hop", "cue.png", "--missing", "transparent")["cues"]
    assert answer["answer"] == name
    assert answer["matches"][0]["score"] > -1


def test_the_files_that_recall_writes(capsys, memory):
    facts = run_json(capsys, "recall", "m.hop", "pics", "--keep", "left", "-o", "deep/out")
    written = paths(memory.parent / "deep")
    assert len(written) == COUNT + 1 and len({answer["file"] for answer in facts["cues"]}) == COUNT
    assert facts["sheets"] == ["deep/out/sheet.png"]
    for answer in facts["cues"]:
        with Image.open(answer["file"]) as image:
            assert image.size == (24, 32) and image.mode == "RGB"


def test_pictures_of_one_file_name_do_not_overwrite_each_other(capsys, memory):
    Image.fromarray(scene(900, 30, 30)).save("a.png")
    (memory.parent / "sub").mkdir()
    for name in ("sub/a.png", "sheet.png"):
        Image.fromarray(scene(901, 30, 30)).save(name)
    facts = run_json(capsys, "recall", "m.hop", "a.png", "sub/a.png", "sheet.png", "-o", "out")
    assert len({answer["file"] for answer in facts["cues"]} | set(facts["sheets"])) == 4


def test_the_table_of_matches(capsys, memory):
    cue = "pics/album 0/000.png"
    status, out, err = run(capsys, "recall", "m.hop", cue, "-k", "3")
    lines = out.splitlines()
    assert (status, err) == (0, "") and len(lines) == 4
    assert lines[0].split() == ["cue", "name", "score", "weight"]
    assert lines[1].startswith(f"{cue}  {cue}") and lines[2].startswith("    ")
    [answer] = run_json(capsys, "recall", "m.hop", cue, "-k", "1000")["cues"]
    scores = [match["score"] for match in answer["matches"]]
    assert len(scores) == COUNT and scores == sorted(scores, reverse=True)


def test_strangers_are_none_of_these(capsys, tmp_path, monkeypatch):
    """At α = .05 about one stranger in twenty is accepted, and every stored half."""
    monkeypatch.chdir(tmp_path)
    for number in range(60):
        write(tmp_path / "pics", number)
    for number in range(1000, 1040):
        write(tmp_path / "others", number)
    run(capsys, "store", "pics", "-o", "m.hop", "--size", "16x16")
    asked = ["recall", "m.hop", "--keep", "top", "--alpha", ".05"]
    answers = run_json(capsys, *asked, "pics")
    assert_each_finds_itself(answers, 60)
    assert all(answer["accepted"] and answer["p_value"] <= 0.05 for answer in answers["cues"])
    for more in ([], ["--strangers", "others"]):
        strangers = run_json(capsys, *asked, "others", *more, "-o", "out")["cues"]
        accepted = [answer for answer in strangers if answer["accepted"]]
        assert len(accepted) <= 6
        refused = [answer for answer in strangers if not answer["accepted"]]
        assert all(answer["answer"] is None and "file" not in answer for answer in refused)
        assert all(answer["p_value"] > 0.05 for answer in refused)
    out = run(capsys, *asked, "others/1000.png")[1]
    assert "none of these (nearest: " in out


def test_folders_can_be_values(capsys, collection):
    run(capsys, "store", "pics", "-o", "m.hop", "--size", "8x8", "--values", "folder")
    facts = run_json(capsys, "recall", "m.hop", "pics")
    assert all(answer["value"] == answer["cue"].split("/")[1] for answer in facts["cues"])


def test_unreadable_pictures_are_listed_and_left_out_as_asked(capsys, collection):
    (collection / "pics" / "album 0" / "broken.png").write_bytes(b"\x89PNG\r\n")
    status, out, err = run(capsys, "store", "pics", "-o", "m.hop")
    assert (status, out) == (1, "") and "broken.png" in err and "--skip" in err
    assert not (collection / "m.hop").exists()
    status, _, err = run(capsys, "store", "pics", "-o", "m.hop", "--skip")
    assert status == 0 and err.startswith("Left out 1:\n  'pics/album 0/broken.png' ")
    assert len(hopfield.load("m.hop")) == COUNT


def test_an_existing_file_is_kept_updated_or_replaced_as_asked(capsys, memory):
    before = memory.read_bytes()
    status, out, err = run(capsys, "store", "pics", "-o", "m.hop")
    assert (status, out) == (1, "") and "--update" in err and "--overwrite" in err
    assert memory.read_bytes() == before
    changed = paths(memory.parent / "pics")[0]
    Image.fromarray(scene(777, 50, 50)).save(changed, format="png")
    write(memory.parent / "more", 500)
    facts = run_json(capsys, "store", "pics", "more", "-o", "m.hop", "--update")
    assert (facts["patterns"], facts["replaced"]) == (COUNT + 1, COUNT)
    assert facts["shape"] == [32, 24, 3]
    assert_each_finds_itself(run_json(capsys, "recall", "m.hop", "pics", "more"), COUNT + 1)
    facts = run_json(capsys, "store", "more", "-o", "m.hop", "--overwrite")
    assert facts["patterns"] == 1 and len(hopfield.load(memory)) == 1


def test_update_of_a_file_that_is_not_there_stores_it(capsys, collection):
    assert run_json(capsys, "store", "pics", "-o", "m.hop", "--update")["patterns"] == COUNT


def test_info_of_a_memory(capsys, memory):
    status, out, err = run(capsys, "info", "m.hop")
    assert (status, err) == (0, "")
    assert out.startswith(f"m.hop: {COUNT} pictures of 24x32 pixels, colour\n")
    facts = run_json(capsys, "info", "m.hop")
    assert facts["names"] == hopfield.load(memory).names and facts["patterns"] == COUNT


def test_info_names_pictures_that_are_nearly_the_same(capsys, memory):
    assert run_json(capsys, "info", "m.hop")["duplicates"] == []
    with Image.open("pics/album 2/002.png") as image:
        image.save("copy.png")
    run(capsys, "store", "copy.png", "-o", "m.hop", "--update")
    assert run_json(capsys, "info", "m.hop")["duplicates"] == [["pics/album 2/002.png", "copy.png"]]
    assert "Nearly the same: pics/album 2/002.png = copy.png" in run(capsys, "info", "m.hop")[1]


def test_remove_by_name_and_by_row(capsys, memory):
    names = hopfield.load(memory).names
    facts = run_json(capsys, "remove", "m.hop", names[3], names[5])
    assert (facts["removed"], facts["patterns"]) == (2, COUNT - 2)
    left = [name for name in names if name not in (names[3], names[5])]
    assert hopfield.load(memory).names == left
    assert run(capsys, "remove", "m.hop", "--index", "0,2,2")[0] == 0
    assert hopfield.load(memory).names == [left[1], *left[3:]]
    facts = run_json(capsys, "recall", "m.hop", "pics", "--keep", "top")
    assert sum(answer["answer"] == answer["cue"] for answer in facts["cues"]) == COUNT - 4


def test_an_emptied_file_can_be_stored_in_again(capsys, memory):
    names = hopfield.load(memory).names
    assert run(capsys, "remove", "m.hop", *names)[0] == 0
    status, _, err = run(capsys, "recall", "m.hop", "pics")
    assert status == 1 and "is empty" in err
    assert run_json(capsys, "store", "pics", "-o", "m.hop", "--update")["shape"] == [32, 24, 3]


@pytest.mark.parametrize("place", ["hopfield.cli.pictures.read_picture", "os.fsync", "os.replace"])
def test_an_interruption_leaves_the_old_file_whole(capsys, memory, monkeypatch, place):
    """Ctrl-C while pictures are read, and while the file is written."""
    before = memory.read_bytes()

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(place, interrupted)
    for command in ("store pics -o m.hop --overwrite", "store pics -o m.hop --update"):
        status, out, err = run(capsys, *command.split())
        assert (status, out, err) == (130, "", "hopfield: interrupted.\n")
        assert memory.read_bytes() == before
        assert sorted(path.name for path in memory.parent.iterdir()) == ["m.hop", "pics"]


def test_progress_goes_to_a_terminal_only(capsys, memory, monkeypatch):
    _, _, err = run(capsys, "recall", "m.hop", "pics", "--keep", "top")
    assert err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    _, out, err = run(capsys, "recall", "m.hop", "pics", "--keep", "top", "--json")
    assert json.loads(out) and "Reading pictures" in err


def test_a_memory_of_the_library_is_recalled_from_by_arrays(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = torch.rand(9, 5, generator=torch.Generator().manual_seed(0))
    mine = hopfield.ModernHopfield(beta=100.0, similarity="euclidean")
    mine.store(rows)
    mine.save("mine.safetensors")
    np.save("cues.npy", rows.numpy())
    facts = run_json(capsys, "recall", "mine.safetensors", "cues.npy")
    assert [answer["answer"] for answer in facts["cues"]] == list(range(9))


def test_files_of_a_given_coupling_are_described_and_not_recalled_from(capsys, tmp_path):
    path = tmp_path / "network.hop"
    hopfield.ClassicalHopfield.from_coupling([[0, 1], [1, 0]]).save(path)
    status, out, _ = run(capsys, "info", path)
    assert status == 0 and "0 arrays of shape 2" in out and "from_coupling" in out
    np.save(tmp_path / "cue.npy", np.ones((1, 2)))
    status, _, err = run(capsys, "recall", path, tmp_path / "cue.npy")
    assert status == 1 and "given coupling" in err
