"""The script, the picture and the link that a visitor takes away."""

import contextlib
import io
import json
import random
import warnings

import pytest

from hopfield import CapacityWarning
from playing import PAGE, click, settle, text
from random_pages import random_settings

STATES = 30


def test_the_script_gives_the_same_pattern_and_energy(visit):
    browser, source, ends = visit(), random.Random(0), set()
    for _ in range(STATES):
        chosen = random_settings(source)
        browser.run(f"{PAGE}.settings.set({{...{PAGE}.defaults, ...{json.dumps(chosen)}}})")
        settle(browser)
        script = browser.run(f"{PAGE}.pythonOf({PAGE}.settings.values)")
        answer = browser.run(f"{PAGE}.answerOf({PAGE}.settings.values)")
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()) as printed:
            warnings.simplefilter("ignore", CapacityWarning)
            names = {}
            exec(script, names)
        result = names["result"]
        assert int(result.index) == answer["index"], script
        assert float(result.energy) == pytest.approx(answer["energy"], rel=1e-5, abs=1e-5), script
        assert int(result.steps) == answer["steps"], script
        assert f"strongest pattern: {answer['index']}" in printed.getvalue()
        ends.add((chosen["network"], bool(result.converged)))
    assert len(ends) >= 4, "premise: all networks, and ends of several kinds"


def test_picture_and_script_can_be_taken_away(visit):
    browser = visit()
    browser.run(
        "HTMLAnchorElement.prototype.click = function () { globalThis.saved = this.href; }; 0"
    )
    click(browser, "#share-png")
    assert browser.run("globalThis.saved").startswith("data:image/png;base64,iVBOR")
    click(browser, "#share-python")
    assert browser.run("document.getElementById('python').open")
    assert "memory.retrieve(" in text(browser, "python-text")
    click(browser, "#python-close")
    click(browser, "#share-link")
    assert "a file on this computer" in text(browser, "toast")
