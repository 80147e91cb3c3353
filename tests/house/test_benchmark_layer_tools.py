"""The table of layers under the tools of torch: complete, green, and what the page says."""

import pytest

from benchmarks.layer_tools import page
from benchmarks.layer_tools.cases import CASES
from benchmarks.layer_tools.ways import ALLOWED, WAYS, difference
from nn_layers import draw

QUICK = ("eager", "vmap", "jvp")


def test_every_layer_was_tried_in_every_recorded_way():
    cells = page.cells()
    ways = {way for _, way in cells}
    assert ways <= set(WAYS) and {"export", "ONNX", *QUICK} <= ways
    assert set(cells) == {(name, way) for name in CASES for way in ways}
    assert all(record["difference"] < ALLOWED for record in cells.values())


def test_the_page_says_the_records():
    assert page.PAGE.read_text(encoding="utf-8") == page.text()


@pytest.mark.parametrize("way", QUICK)
@pytest.mark.parametrize("name", ["association, padded, 3 steps", "lookup, pairs masked"])
@pytest.mark.filterwarnings("ignore")  # forward mode of torch uses what torch deprecates
def test_a_way(name, way):
    assert WAYS[way](CASES[name]) < ALLOWED


def test_a_difference_is_noticed():
    rows = draw(2, 3)
    assert difference([rows], [rows]) == 0
    assert difference([rows + 0.1], [rows]) > 0.01
    with pytest.raises(ValueError, match="shape"):
        difference([rows[:1]], [rows])
    with pytest.raises(ValueError, match="finite"):
        difference([rows / 0], [rows])
