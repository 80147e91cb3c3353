"""The script, the picture and the link that a visitor takes away."""

import base64
import contextlib
import io
import json
import random
import warnings

import pytest
from PIL import Image

from hopfield import CapacityWarning
from playing import PAGE, SIZES, answer, click, settle, text
from random_pages import random_settings

STATES = 30


def test_the_script_gives_the_same_pattern_and_energy(visit):
    browser, source, ends = visit(), random.Random(0), set()
    for _ in range(STATES):
        chosen = random_settings(source)
        browser.run(f"{PAGE}.settings.set({{...{PAGE}.defaults, ...{json.dumps(chosen)}}})")
        settle(browser)
        script = browser.run(f"{PAGE}.pythonOf({PAGE}.settings.values)")
        shown = answer(browser)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()) as printed:
            warnings.simplefilter("ignore", CapacityWarning)
            names = {}
            exec(script, names)
        result = names["result"]
        assert int(result.index) == shown["index"], script
        assert float(result.energy) == pytest.approx(shown["energy"], rel=1e-5, abs=1e-5), script
        assert int(result.steps) == shown["steps"], script
        assert f"strongest pattern: {shown['index']}" in printed.getvalue()
        ends.add((chosen["network"], bool(result.converged)))
    assert len(ends) >= 4, "premise: all networks, and ends of several kinds"


def saved_picture(browser):
    """Return the bytes of the picture that the page would save."""
    browser.run(
        "HTMLAnchorElement.prototype.click = function () { globalThis.saved = this.href; }; 0"
    )
    click(browser, "#share-png")
    return base64.b64decode(browser.run("globalThis.saved").partition("base64,")[2])


@pytest.mark.parametrize("hash_", ["", "network=classical&hiddenAs=background&step=0"])
def test_the_saved_picture_does_not_depend_on_the_screen(visit, hash_):
    pictures = [saved_picture(visit(hash_, size)) for size in SIZES]
    assert pictures[0] == pictures[1]
    picture = Image.open(io.BytesIO(pictures[0]))
    assert picture.size == (2400, 1920)
    assert len(picture.convert("RGB").getcolors(10_000)) > 40


def in_dialog(browser):
    """Return whether the focus is in the dialog, or at least on nothing outside it."""
    return browser.run(
        "document.activeElement === document.body"
        " || document.getElementById('python').contains(document.activeElement)"
    )


def test_the_dialog_keeps_the_focus_and_gives_it_back(visit):
    browser = visit()
    browser.run("document.getElementById('share-python').focus()")
    browser.press("Enter")
    browser.run("document.getElementById('share-python').click()")
    settle(browser)
    assert browser.run("document.getElementById('python').open")
    for _ in range(8):
        browser.press("Tab")
        assert in_dialog(browser)
    browser.press("Escape")
    settle(browser)
    assert not browser.run("document.getElementById('python').open")
    assert browser.run("document.activeElement.id") == "share-python"


def test_a_click_beside_the_dialog_closes_it_and_one_inside_does_not(visit):
    browser = visit()
    click(browser, "#share-python")
    click(browser, "#python p")
    assert browser.run("document.getElementById('python').open")
    browser.drag([(5, 5)])
    settle(browser)
    assert not browser.run("document.getElementById('python').open")


def test_script_and_link_can_be_taken_away(visit):
    browser = visit()
    click(browser, "#share-python")
    assert browser.run("document.getElementById('python').open")
    assert "memory.retrieve(" in text(browser, "python-text")
    click(browser, "#python-close")
    click(browser, "#share-link")
    assert "a file on this computer" in text(browser, "toast")
