"""Own pictures: files and drawings are stored, and recalled."""

import numpy as np
import pytest
from PIL import Image

from playing import answer, click, text, values, wait_for


def test_a_picture_of_ones_own_and_a_drawing_are_stored_and_recalled(visit, tmp_path):
    pixels = np.full((40, 40), 255, np.uint8)
    pixels[5:20, 5:35] = 0
    Image.fromarray(pixels).save(tmp_path / "own.png")
    browser = visit("beta=30")
    browser.choose_file("#upload", tmp_path / "own.png")
    wait_for(lambda: values(browser)["own"], browser)
    assert values(browser)["source"] == 1000 and "pattern 10 (own 1)" in text(browser, "cue-source")
    assert "✓" in text(browser, "verdict-mark")
    click(browser, "[data-damage=flip]")
    click(browser, "#keep")
    assert "own 2" in text(browser, "cue-source")
    assert "and 2 of your own" in text(browser, "own-count")
    click(browser, "#forget")
    assert values(browser)["own"] == ""


@pytest.mark.parametrize(("event", "field"), [("drop", "dataTransfer"), ("paste", "clipboardData")])
def test_pictures_can_be_dropped_and_pasted(visit, event, field):
    browser = visit()
    browser.run(
        "(async () => { const canvas = new OffscreenCanvas(20, 20);"
        " const context = canvas.getContext('2d'); context.fillStyle = 'white';"
        " context.fillRect(0, 0, 20, 20); context.fillStyle = 'black';"
        " context.fillRect(5, 5, 10, 10); const files = new DataTransfer();"
        " files.items.add(new File([await canvas.convertToBlob()], 'own.png'));"
        f" const event = new Event({event!r}, {{bubbles: true, cancelable: true}});"
        f" event.{field} = files; document.body.dispatchEvent(event); return 0; }})()"
    )
    wait_for(lambda: values(browser)["own"], browser)
    assert "own 1" in text(browser, "cue-source")


def test_a_file_that_is_no_picture_is_refused_in_words(visit, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    browser = visit()
    browser.choose_file("#upload", tmp_path / "text.png")
    wait_for(lambda: text(browser, "toast"), browser)
    assert "is no picture" in text(browser, "toast")


def test_a_picture_of_one_colour_is_refused_in_words(visit, tmp_path):
    Image.new("RGB", (30, 20), "red").save(tmp_path / "red.png")
    browser = visit()
    browser.choose_file("#upload", tmp_path / "red.png")
    wait_for(lambda: text(browser, "toast"), browser)
    assert "one colour only" in text(browser, "toast") and values(browser)["own"] == ""


@pytest.mark.parametrize("mode", ["dark on light", "light on dark", "clear behind light"])
def test_ink_is_what_stands_out_from_the_edge(visit, tmp_path, mode):
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[..., 3] = 255
    pixels[..., :3] = 255 if mode == "dark on light" else 0
    pixels[8:24, 4:28, :3] = 0 if mode == "dark on light" else 255
    if mode == "clear behind light":
        pixels[..., 3] = np.where(pixels[..., 0] == 255, 255, 0)
    Image.fromarray(pixels).save(tmp_path / "bar.png")
    browser = visit()
    browser.choose_file("#upload", tmp_path / "bar.png")
    wait_for(lambda: values(browser)["own"], browser)
    bar = np.zeros((8, 8))
    bar[2:6, 1:7] = 1
    stored = np.reshape(answer(browser)["state"], (8, 8))
    assert np.abs(stored - bar).max() < 0.1
