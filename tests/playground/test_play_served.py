"""The served page as a visitor uses it: the library and the page compute the same."""

import contextlib
import io
import json
import os
import random
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

import chromium
from hopfield import CapacityWarning, ModernHopfield
from random_pages import random_settings

PAGE = "globalThis.hopfieldPlayground"
SCRIPT = "<img src=x onerror=stolen=1><script>stolen=1</script>"
STATES = 25

pytestmark = pytest.mark.skipif(chromium.find() is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium.Browser(tmp_path_factory.mktemp("profile")) as browser:
        browser.resize(1280, 800)
        yield browser


@pytest.fixture(scope="module")
def serve(browser):
    """A function that serves data and opens the page; servers end with the module."""
    servers = []

    def start(data):
        command = [sys.executable, "-m", "hopfield", "play", "--port", "0", "--data", str(data)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=os.environ | {"BROWSER": "true"}
        )
        servers.append(process)
        address = process.stdout.readline().split()[0]
        browser.problems.clear()
        browser.requests.clear()
        browser.open(address)
        wait_for(browser, f"{PAGE} && document.getElementById('verdict-text').textContent")
        return address

    yield start
    for process in servers:
        process.kill()
        process.wait()
        process.stdout.close()


def wait_for(browser, expression, seconds=60):
    """Wait until an expression of the page is true, and return its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := browser.run(f"try {{ {expression} }} catch {{ null }}"):
            return value
        time.sleep(0.05)
    raise AssertionError(expression)


def text(browser, name):
    return browser.run(f"document.getElementById({name!r}).textContent")


@pytest.fixture(scope="module")
def page(serve, browser, tmp_path_factory):
    """The page of 30 pictures of 8 × 8, whose values are no grey levels of the page."""
    source = torch.Generator().manual_seed(0)
    file = tmp_path_factory.mktemp("set") / "pictures.npy"
    np.save(file, torch.rand(30, 8, 8, generator=source).numpy())
    serve(file)
    return browser


def ask(browser, settings):
    """Set the settings, and return the answer of the library that the page then shows."""
    browser.run(f"{PAGE}.settings.set({{...{PAGE}.defaults, ...{json.dumps(settings)}}})")
    browser.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    wait_for(browser, f"{PAGE}.libraryAnswer({PAGE}.settings.values)")
    return browser.run(
        f"(a => ({{...a, state: [...a.state]}}))({PAGE}.libraryAnswer({PAGE}.settings.values))"
    )


def test_the_page_says_who_computes(page):
    assert "Computed by the library" in text(page, "computed")
    page.run(
        "(() => { const e = document.getElementById('core'); e.value = 'page';"
        " e.dispatchEvent(new Event('change')); })()"
    )
    wait_for(page, "document.getElementById('computed').textContent.includes('JavaScript')")
    assert "pictures.npy, 8 × 8" in page.run("document.getElementById('data').innerText")


def test_the_library_and_the_page_give_the_same_answers(page):
    source, ends = random.Random(3), set()
    for _ in range(STATES):
        chosen = random_settings(source) | {"data": "served", "core": "library"}
        chosen |= {name: "" for name in ("cue", "hidden", "own") if len(chosen.get(name, "")) != 64}
        theirs = ask(page, chosen)
        ours = page.run(
            f"(a => ({{...a, state: [...a.state]}}))({PAGE}.answerOf({PAGE}.settings.values))"
        )
        assert theirs["index"] == ours["index"] and theirs["steps"] == ours["steps"], chosen
        assert theirs["converged"] == ours["converged"] and theirs["period"] == ours["period"]
        assert theirs["state"] == pytest.approx(ours["state"], abs=1e-5), chosen
        assert theirs["energies"] == pytest.approx(ours["energies"], rel=1e-5, abs=1e-5), chosen
        verdicts = page.run(
            f"[{PAGE}.libraryAnswer, {PAGE}.answerOf].map(answer =>"
            f" {PAGE}.verdictOf({PAGE}.settings.values, answer({PAGE}.settings.values)))"
        )
        assert verdicts[0] == verdicts[1], chosen
        ends.add((chosen["network"], verdicts[0]["kind"]))
    assert len(ends) >= 5, "premise: all networks, and ends of several kinds"


def test_the_script_gives_the_same_pattern_and_energy(page):
    source = random.Random(4)
    for _ in range(8):
        chosen = random_settings(source) | {"data": "served", "core": "library"}
        chosen |= {name: "" for name in ("cue", "hidden", "own") if len(chosen.get(name, "")) != 64}
        answer = ask(page, chosen)
        script = page.run(f"{PAGE}.pythonOf({PAGE}.settings.values)")
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore", CapacityWarning)
            names = {}
            exec(script, names)
        assert int(names["result"].index) == answer["index"], script
        assert float(names["result"].energy) == pytest.approx(answer["energies"][-1], rel=1e-5), (
            script
        )


def test_why_explains_and_diagnoses(page):
    ask(page, {"data": "served", "core": "library", "explore": "why"})
    shown = "document.querySelectorAll('#explore-body .report')"
    wait_for(page, f"{shown}[0].textContent.startsWith('It ended at pattern')")
    page.click("#explore-body button")
    wait_for(page, f"{shown}[1].textContent.includes('patterns are attractors')")


def test_a_picture_that_only_the_library_reads_is_stored(page, tmp_path):
    pixels = np.full((40, 40), 255, np.uint8)
    pixels[5:20, 5:35] = 0
    Image.fromarray(pixels).save(tmp_path / "own.tiff")
    ask(page, {"data": "served", "core": "library", "beta": 30})
    page.choose_file("#upload", tmp_path / "own.tiff")
    wait_for(page, f"{PAGE}.settings.values.own")
    wait_for(page, f"{PAGE}.libraryAnswer({PAGE}.settings.values)?.index === 10")
    assert "own 1" in text(page, "cue-source")


def test_only_the_server_was_asked_and_the_console_is_empty(page):
    ask(page, {"data": "served", "core": "library", "count": 7})
    assert not page.problems
    places = {tuple(url.split("/")[:3]) for url in page.requests if not url.startswith("blob:")}
    assert len(places) == 1 and len(page.requests) >= 3


def test_names_of_a_memory_file_are_shown_and_never_run(serve, browser, tmp_path):
    memory = ModernHopfield()
    rows = torch.rand(3, 10, generator=torch.Generator().manual_seed(0))
    memory.store(rows, names=[SCRIPT, f"{SCRIPT}2", "plain"])
    memory.save(tmp_path / "own.hop")
    serve(tmp_path / "own.hop")
    assert "own.hop, 10 entries" in browser.run("document.getElementById('data').innerText")
    values = browser.run(f"{PAGE}.settings.values")
    assert (values["beta"], values["count"], values["core"]) == ("auto", 3, "library")
    for source in (0, 1):
        ask(browser, {**values, "source": source})
        assert "<img src=x" in text(browser, "verdict-text") + text(browser, "cue-source")
    browser.run(f"{PAGE}.settings.set({{explore: 'beta'}})")
    wait_for(browser, "document.getElementById('explore-body').innerText.includes('no square')")
    assert browser.run("globalThis.stolen === undefined && document.scripts.length === 2")
    assert not browser.problems
    with contextlib.suppress(AssertionError):  # the policy refuses it, which the console says
        browser.run(
            "document.body.append(Object.assign(document.createElement('script'),"
            " {textContent: 'globalThis.stolen = 1'}))"
        )
    assert browser.run("globalThis.stolen === undefined")


def test_more_pictures_than_the_page_holds(serve, browser, tmp_path):
    source = np.random.default_rng(0)
    np.save(tmp_path / "many.npy", source.random((1500, 6, 6), dtype=np.float32))
    serve(tmp_path / "many.npy")
    answer = ask(browser, {"data": "served", "core": "page", "count": 1500, "beta": 0.01})
    assert "Computed by the library" in text(browser, "computed"), "the page lacks pictures"
    assert any(one["index"] >= 1000 for one in answer["strongest"][-1])
    wait_for(browser, "document.querySelectorAll('#explore-body button').length")
    browser.click("#explore-body button")
    wait_for(browser, f"{PAGE}.settings.values.count === 1000")
    wait_for(browser, "document.getElementById('computed').textContent.includes('JavaScript')")
    assert not browser.problems
