"""`hopfield store`, `recall`, `info`, `remove`: a mistake is one line, and no file changes."""

import os
import random

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

import hopfield
from damage import cut, flip_bits
from hopfield.cli import commands
from pictures import scene

GOOD = "city,length,width\nBern,5.1,3.5\nRome,4.9,3.0\nOslo,7.0,3.2\n"
TEXTS = {
    "t.csv": GOOD, "empty.csv": "", "blank.csv": "\n\n", "header.csv": "a,b\n",
    "ragged.csv": "a,b\n1,2\n1,2,3\n", "words.csv": "a,b\nx,y\nz,w\n", "null.csv": "a,b\0\n1,2\n",
    "infinite.csv": "a,b\n1,2\n-inf,3\n", "gaps.csv": GOOD + "Lima,,3\n",
    "all-gaps.csv": "length,width\n,\n", "twice.csv": "a,a\n1,2\n3,4\n",
    "same.csv": GOOD + "Bern,5,3\n", "unnamed.csv": GOOD + ",5,3\n", "slip.csv":
    "x,y\n" + "1,2\n" * 20 + "oops,2\n", "close.csv": "lenght,width\n5,3\n",
    "foreign.csv": "p,q\n5,3\n", "text.npy": "no array", "text.npz": "no", "text.safetensors": "no",
    "text.png": "no picture", "empty.png": "", "text.parquet": "PAR1 but no more", "notes.txt": "a",
    "names.txt": "a\nb\n", "text.hop": "no memory", "noending": "x", "empty.hop": "",
}  # fmt: skip
ROWS = np.random.default_rng(0).random((20, 6)).astype(np.float32)
ARRAYS = {
    "v": ROWS, "other": ROWS[:, :5], "scalar": np.float32(3), "none": ROWS[:0], "thin": ROWS[:, :0],
    "nan": np.where(ROWS > 0.9, np.nan, ROWS), "inf": np.where(ROWS > 0.9, np.inf, ROWS),
    "complex": ROWS + 1j, "strings": np.array(["a", "b"]), "object": np.array([{}, {}]),
    "dates": np.array(["2020-01-01"], dtype="datetime64[D]"), "all-nan": np.full((2, 6), np.nan),
    "mask7": np.ones(7, bool), "mask.5": np.full(6, 0.5), "mask0": np.zeros(6, bool),
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with good and bad inputs, and with memories of pictures, a table and vectors."""
    folder = tmp_path_factory.mktemp("mistakes")
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    for name, array in ARRAYS.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=True)
    np.savez(folder / "two.npz", a=ROWS, b=ROWS, ids=np.arange(3))
    np.savez(folder / "object.npz", x=np.array([{}]))
    np.savez(folder / "none.npz")
    save_file({"a": ROWS, "b": ROWS}, folder / "two.safetensors")
    for name in ("empty", "pics", "mixed"):
        (folder / name).mkdir()
    for number, name in enumerate(["pics/a.png", "pics/b.jpg", "mixed/a.png", "a.png"]):
        Image.fromarray(scene(number, 20, 30)).save(folder / name)
    frames = [Image.fromarray(scene(number, 20, 30)) for number in range(3)]
    frames[0].save(folder / "frames.gif", save_all=True, append_images=frames[1:])
    Image.new("F", (4, 4)).save(folder / "float.tif")
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:200])
    (folder / "mixed" / "cut.png").write_bytes(b"\x89PNG")
    Image.new("L", (20, 20), 0).save(folder / "black.png")
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(folder / "clear.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for typed in ("pics -o p.hop --size 8x8", "t.csv -o t.hop --names city", "v.npy -o v.hop"):
            assert commands.run(["store", *typed.split()]) == 0
    mine = hopfield.ModernHopfield()
    mine.save(folder / "nothing.hop")
    mine.store(hopfield.load(folder / "v.hop").patterns)
    mine.save(folder / "unnamed.hop")
    forms = {
        "kind": {"kind": "x", "shape": [6]},
        "shape": {"kind": "arrays", "shape": [7]},
        "list": [1],
        "part": {"kind": "arrays"},
    }
    for name, facts in forms.items():
        mine.metadata["rows"] = facts
        mine.save(folder / f"{name}.hop")
    return folder


def mistakes(table, command=""):
    """The cases of a table: what is typed | exit status | what the message says."""
    lines = [line.split(" | ") for line in table.strip("\n").splitlines()]
    cases = [
        (f"{command} {typed.strip()}".strip(), int(s), says.strip()) for typed, s, says in lines
    ]
    assert len({typed for typed, _, _ in cases}) == len(cases) >= 60
    return pytest.mark.parametrize(("typed", "status", "says"), cases, ids=[c[0] for c in cases])


def assert_one_line(capsys, monkeypatch, place, typed, status, says):
    monkeypatch.chdir(place)
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    came = commands.run(typed.split())
    out, err = capsys.readouterr()
    assert (came, out) == (status, ""), err
    assert err.startswith("hopfield: ") and err.count("\n") == 1 and len(err) < 1500
    assert err.endswith((".\n", "?\n")) and "Traceback" not in err
    assert says in err
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


STORE = """
 | 2 | INPUT
-o x.hop | 2 | INPUT
a.png | 2 | --out
a.png -o | 2 | -o
a.png -o x.hop --siz 4x4 | 2 | --size
a.png -o x.hop --nonsense | 2 | --nonsense
a.png -o x.hop --size | 2 | --size
a.png -o pics | 1 | --out must be a file in an existing folder
a.png -o no/such/x.hop | 1 | --out must be a file in an existing folder
a.png -o a.png/x.hop | 1 | --out must be a file in an existing folder
a.png -o p.hop | 1 | --out p.hop exists. Add --update
a.png -o p.hop --update --overwrite | 1 | Give one
a.png -o text.hop --update | 1 | safetensors file
a.png -o empty.hop --update | 1 | safetensors file
a.png -o notes.txt --update | 1 | safetensors file
a.png -o p.hop --update --size 9x9 | 1 | --columns, --beta and --similarity are for new files
a.png -o p.hop --update --mode L | 1 | 8x8 pixels
a.png -o p.hop --update --beta 3 | 1 | are for new files, but p.hop holds
t.csv -o p.hop --update | 1 | must fit the memory, which holds pictures
a.png -o t.hop --update | 1 | must fit the memory, which holds rows of 2 columns
other.npy -o v.hop --update | 1 | shape (6,), as stored
t.csv -o t.hop --update --columns length | 1 | are for new files
foreign.csv -o t.hop --update | 1 | 'length'
gone.png -o x.hop | 1 | 'gone.png' is not there
gone -o x.hop | 1 | 'gone' is not there
a.png gone.png -o x.hop | 1 | 'gone.png' is not there
notes.txt -o x.hop | 1 | or end in .npy
noending -o x.hop | 1 | or end in .npy
p.hop -o x.hop | 1 | or end in .npy
a.png t.csv -o x.hop | 1 | 'a.png' is a picture and 't.csv' is a table
v.npy pics -o x.hop | 1 | 'v.npy' is an array and 'pics' is a picture
empty -o x.hop | 1 | must hold pictures
mixed -o x.hop | 1 | 1 of 2 pictures cannot be read: 'mixed/cut.png'
text.png -o x.hop | 1 | a picture cannot be read: 'text.png'
empty.png -o x.hop | 1 | 'empty.png'
cut.png -o x.hop --skip | 1 | 'cut.png' is damaged
frames.gif -o x.hop | 1 | has 3 frames
float.tif -o x.hop | 1 | mode 'F'
a.png a.png -o x.hop | 1 | 'a.png' comes twice
pics pics/a.png -o x.hop | 1 | 'pics/a.png' comes twice
a.png -o x.hop --size 8 | 1 | --size must be a width and a height
a.png -o x.hop --size 0x8 | 1 | --size must be a width and a height
a.png -o x.hop --size 8x-8 | 1 | --size must be a width and a height
a.png -o x.hop --size 9999x9999 | 1 | 1 to 4096 pixels
a.png -o x.hop --mode CMYK | 1 | --mode must be L or RGB
a.png -o x.hop --mode rgb | 1 | --mode must be L or RGB
a.png -o x.hop --names names.txt | 1 | the name of a picture is its path
a.png -o x.hop --values kind | 1 | --values must be folder
a.png -o x.hop --columns a | 1 | --columns is for columns
a.png -o x.hop --array x | 1 | --array is for arrays
a.png -o x.hop --unscaled | 1 | --unscaled is for columns
a.png -o x.hop --missing nan | 1 | --missing must be transparent
a.png -o x.hop --beta warm | 1 | --beta must be auto or a number
a.png -o x.hop --beta -1 | 1 | beta must be
a.png -o x.hop --beta nan | 1 | beta must be
a.png -o x.hop --similarity cosin | 1 | Did you mean 'cosine'?
empty.csv -o x.hop | 1 | must hold a table, but is empty
blank.csv -o x.hop | 1 | must hold a table, but is empty
header.csv -o x.hop | 1 | must hold rows below its header
ragged.csv -o x.hop | 1 | line 3 has 3
words.csv -o x.hop | 1 | must have columns of numbers
null.csv -o x.hop | 1 | null bytes
infinite.csv -o x.hop | 1 | finite numbers
gaps.csv -o x.hop | 1 | row 4 has none in column 'length'. --missing nan
twice.csv -o x.hop | 1 | 'a' twice
same.csv -o x.hop --names city | 1 | 'Bern' comes twice
unnamed.csv -o x.hop --names city | 1 | names must not be empty
t.csv -o x.hop --names citty | 1 | Did you mean 'city'?
t.csv -o x.hop --values foo | 1 | It has city, length, width
t.csv -o x.hop --columns length,widht | 1 | Did you mean 'width'?
t.csv -o x.hop --columns city | 1 | column 'city' of 't.csv' must hold numbers
t.csv foreign.csv -o x.hop | 1 | 'length'
t.csv -o x.hop --names names.txt | 1 | one line per row
t.csv -o x.hop --size 8x8 | 1 | --size is for pictures
t.csv -o x.hop --skip | 1 | --skip is for pictures
t.csv -o x.hop --missing many | 1 | --missing must be nan, transparent or a number
t.csv -o x.hop --missing transparent | 1 | --missing must be nan or a number
text.parquet -o x.hop | 1 | intact Parquet
text.npy -o x.hop | 1 | intact .npy file
text.npz -o x.hop | 1 | intact .npz file
text.safetensors -o x.hop | 1 | intact .safetensors file
object.npy -o x.hop | 1 | dtype=object
object.npz -o x.hop | 1 | dtype=object
strings.npy -o x.hop | 1 | must hold real numbers
complex.npy -o x.hop | 1 | must hold real numbers
dates.npy -o x.hop | 1 | must hold real numbers
scalar.npy -o x.hop | 1 | one pattern per row
none.npy -o x.hop | 1 | one pattern per row
thin.npy -o x.hop | 1 | one pattern per row
nan.npy -o x.hop | 1 | NaN. --missing nan
inf.npy -o x.hop | 1 | has inf
inf.npy -o x.hop --missing nan | 1 | has inf
all-nan.npy -o x.hop --missing nan | 1 | known entries in each row, but 'all-nan.npy[0]' has none
v.npy other.npy -o x.hop | 1 | (6,), as 'v.npy', but those of 'other.npy'
two.npz -o x.hop | 1 | Choose one by --array
none.npz -o x.hop | 1 | holds none
two.npz -o x.hop --array c | 1 | It has a, b, ids
two.npz -o x.hop --array a --names ids | 1 | shape (3,)
two.npz -o x.hop --array a --names b | 1 | one entry per row
two.safetensors -o x.hop | 1 | Choose one by --array
v.npy -o x.hop --names gone.txt | 1 | an array or a text file
v.npy -o x.hop --names names.txt | 1 | 20 rows and the file 2 lines
v.npy -o x.hop --names a.png | 1 | must be a text file
"""

RECALL = """
 | 2 | MEMORY
p.hop | 2 | CUE
p.hop a.png --kep top | 2 | --keep
p.hop a.png --known | 2 | --known
p.hop a.png --top | 2 | --top
gone.hop a.png | 1 | not there
pics a.png | 1 | a folder
text.hop a.png | 1 | safetensors file
empty.hop a.png | 1 | safetensors file
a.png p.hop | 1 | safetensors file
two.safetensors v.npy | 1 | another safetensors file
nothing.hop v.npy | 1 | is empty
kind.hop v.npy | 1 | what its rows are
shape.hop v.npy | 1 | what its rows are
list.hop v.npy | 1 | what its rows are
part.hop v.npy | 1 | what its rows are
p.hop gone.png | 1 | CUE must be files or folders, but 'gone.png' is not there
p.hop a.png gone | 1 | 'gone' is not there
p.hop t.csv | 1 | CUE must fit the memory, which holds pictures of 8x8 pixels
p.hop v.npy | 1 | 'v.npy' is an array
t.hop a.png | 1 | which holds rows of 2 columns
v.hop a.png | 1 | which holds arrays of shape 6
v.hop t.csv | 1 | 't.csv' is a table
p.hop notes.txt | 1 | or end in .npy
p.hop p.hop | 1 | or end in .npy
p.hop empty | 1 | must hold pictures
p.hop mixed | 1 | --skip
p.hop text.png | 1 | 'text.png'
p.hop cut.png | 1 | is damaged
p.hop frames.gif | 1 | 3 frames
p.hop a.png --keep up | 1 | --keep must be top, bottom, left or right
p.hop a.png --keep Top | 1 | --keep must be top
p.hop a.png --half middle | 1 | --half must be
t.hop t.csv --half top | 1 | --half is for pictures
p.hop a.png --known gone.png | 1 | --known must be the file of a mask
p.hop a.png --known pics | 1 | --known must be the file of a mask
p.hop a.png --known text.png | 1 | --known must be a picture
p.hop a.png --known mask0.npy | 1 | --known must be a picture
p.hop a.png --known black.png | 1 | must have known entries
p.hop clear.png --missing transparent | 1 | must have known entries
p.hop a.png --missing nan | 1 | --missing must be transparent
p.hop a.png --missing 0 | 1 | --missing must be transparent
p.hop a.png --missing many | 1 | --missing must be
p.hop a.png --names names.txt | 1 | the name of a picture is its path
p.hop a.png --array x | 1 | --array is for arrays
p.hop a.png -k 0 | 1 | --k must be a whole number from 1 on
p.hop a.png -k two | 1 | --k must be a whole number
p.hop a.png -k 1.5 | 1 | --k must be a whole number
p.hop a.png -k -1 | 1 | --k must be a whole number
p.hop a.png --alpha 0 | 1 | --alpha must be a share
p.hop a.png --alpha 1 | 1 | --alpha must be a share
p.hop a.png --alpha 5% | 1 | --alpha must be a share
p.hop a.png --alpha nan | 1 | --alpha must be a share
p.hop a.png --alpha .01 | 1 | --alpha 0.01 needs at least 99 patterns, but there are 2. Use
p.hop a.png --strangers pics | 1 | --strangers needs a rate
p.hop a.png --strangers gone --alpha .4 | 1 | 'gone' is not there
p.hop a.png --strangers t.csv --alpha .4 | 1 | must fit the memory
p.hop a.png --strangers a.png --alpha .1 | 1 | needs at least 9 strangers
p.hop a.png -o a.png | 1 | --out must be a folder
p.hop a.png -o a.png/out | 1 | a.png
t.hop gaps.csv | 1 | --missing nan
t.hop all-gaps.csv --missing nan | 1 | must have known entries
t.hop close.csv | 1 | 'lenght'. Rename it
t.hop foreign.csv | 1 | which is part of the pattern, but has p, q
t.hop words.csv | 1 | but has a, b
t.hop t.csv --keep top | 1 | --keep is for pictures
t.hop t.csv --names citty | 1 | Did you mean 'city'?
t.hop header.csv | 1 | must hold rows
t.hop ragged.csv | 1 | line 3 has 3
t.hop text.parquet | 1 | Parquet
v.hop other.npy | 1 | shape (6,), as stored
v.hop nan.npy | 1 | --missing nan
v.hop inf.npy | 1 | has inf
v.hop all-nan.npy --missing nan | 1 | must have known entries
v.hop v.npy --known mask7.npy | 1 | --known must have 6 entries, or 20 × 6, but has 7
v.hop v.npy --known mask.5.npy | 1 | True or 1
v.hop v.npy --known mask0.npy | 1 | must have known entries
v.hop v.npy --known text.npy | 1 | intact .npy file
v.hop v.npy --known two.npz | 1 | .npy file of a mask
v.hop v.npy --known notes.txt | 1 | .npy file of a mask
v.hop v.npy --known strings.npy | 1 | True or 1
v.hop text.npy | 1 | intact .npy file
v.hop two.npz | 1 | --array
v.hop scalar.npy | 1 | one pattern per row
v.hop strings.npy | 1 | real numbers
"""


@mistakes(STORE, "store")
def test_store(capsys, monkeypatch, place, typed, status, says):
    assert_one_line(capsys, monkeypatch, place, typed, status, says)


@mistakes(RECALL, "recall")
def test_recall(capsys, monkeypatch, place, typed, status, says):
    assert_one_line(capsys, monkeypatch, place, typed, status, says)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_memory_takes_the_place_of_files_only(capsys, monkeypatch, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "t.csv").write_text(GOOD)
    typed = "store t.csv -o pipe --overwrite"
    assert_one_line(capsys, monkeypatch, tmp_path, typed, 1, "--out must be a file")
    assert (tmp_path / "pipe").is_fifo()


REMOVE = """
 | 2 | MEMORY
p.hop | 1 | names of patterns, or their rows by --index
p.hop pics/a.png --index 0 | 1 | names of patterns, or their rows
p.hop --indx 0 | 2 | --index
p.hop --index | 2 | --index
gone.hop x | 1 | not there
pics x | 1 | a folder
text.hop x | 1 | safetensors file
empty.hop x | 1 | safetensors file
a.png x | 1 | safetensors file
two.safetensors x | 1 | another safetensors file
nothing.hop x | 1 | has no names
nothing.hop --index 0 | 1 | the memory is empty
unnamed.hop v.npy[0] | 1 | has no names. Use --index
p.hop pics/c.png | 1 | Did you mean
p.hop zzz | 1 | hopfield info p.hop lists names
p.hop pics/a.png zzz | 1 | but is 'zzz'
p.hop PICS/A.PNG | 1 | must be a name in p.hop
t.hop bern | 1 | Did you mean 'Bern'?
t.hop 0 | 1 | must be a name in t.hop
v.hop v.npy[20] | 1 | Did you mean
v.hop --index 20 | 1 | from 0 to 19
v.hop --index -1 | 1 | from 0 to 19
v.hop --index 1,,2 | 1 | from 0 to 19
v.hop --index 1;2 | 1 | from 0 to 19
v.hop --index 1.0 | 1 | from 0 to 19
v.hop --index x | 1 | from 0 to 19
v.hop --index 3, | 1 | from 0 to 19
v.hop --index 99999999999999999999 | 1 | from 0 to 19
"""


@pytest.mark.parametrize("line", REMOVE.strip("\n").splitlines(), ids=lambda line: line[:40])
def test_remove(capsys, monkeypatch, place, line):
    typed, status, says = line.split(" | ")
    assert_one_line(
        capsys, monkeypatch, place, f"remove {typed}".strip(), int(status), says.strip()
    )


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize(
    "command",
    [
        "remove {} Bern",
        "info {}",
        "info {} --json",
        "recall {} t.csv",
        "store t.csv --names city -o {} --update",
    ],
)
def test_a_damaged_memory_is_one_line(capsys, monkeypatch, place, tmp_path, command, seed):
    draw = random.Random(seed)
    content = (flip_bits, cut)[seed % 2]((place / "t.hop").read_bytes(), draw)
    (tmp_path / "bad.hop").write_bytes(content)
    (tmp_path / "t.csv").write_text(GOOD)
    if content == (place / "t.hop").read_bytes():
        return
    typed = command.format("bad.hop")
    assert_one_line(capsys, monkeypatch, tmp_path, typed, 1, "bad.hop must ")


INFO = ["text.hop", "empty.hop", "notes.txt", "noending", "two.safetensors", "kind.hop", "list.hop",
        "part.hop", "shape.hop", "gone.hop", "text.parquet", "empty", "text.png", "text.npy",
        "text.npz", "ragged.csv", "object.npy", "strings.npy", "scalar.npy", "cut.png"]  # fmt: skip


@pytest.mark.parametrize("name", INFO)
def test_info(capsys, monkeypatch, place, name):
    assert_one_line(capsys, monkeypatch, place, f"info {name}", 1, name.split(".")[0])
