"""The page as a visitor uses it: draw, hide, retrieve, switch, upload, share, follow tours."""

import contextlib
import io
import json
import random
import warnings

import numpy as np
import pytest
from PIL import Image

import chromium
from hopfield import CapacityWarning
from hopfield_play import build

PAGE = "globalThis.hopfieldPlayground"
SIZES = [(1280, 800), (390, 844)]
TOURS = ("one", "several", "dense", "grey", "sharp", "units", "attention", "unknown")
STATES = 30

pytestmark = pytest.mark.skipif(chromium.find() is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    return build.write(tmp_path_factory.mktemp("page") / "page.html").as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium.Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def visit(browser, address):
    """A function that opens the page; at the end, it must have raised and asked for nothing."""
    browser.problems.clear()
    browser.requests.clear()

    def open_page(hash_="", size=SIZES[0], dark=False):
        browser.resize(*size, dark)
        browser.open("about:blank")
        browser.open(f"{address}#{hash_}")
        settle(browser)
        return browser

    yield open_page
    assert not browser.problems
    assert {url.partition(":")[0] for url in browser.requests} <= {"file", "about", "data", "blob"}
    assert {url.partition("#")[0] for url in browser.requests if url.startswith("file")} == {
        address
    }


def settle(browser):
    """Wait until changes are drawn."""
    browser.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def wait_for(is_done, browser):
    """Wait until a condition holds, for a hundred redrawings at most."""
    for _ in range(100):
        settle(browser)
        if is_done():
            break


def values(browser):
    return browser.run(f"{PAGE}.settings.values")


def text(browser, name):
    return browser.run(f"document.getElementById({name!r}).textContent")


def choose(browser, name, value):
    browser.run(
        f"(() => {{ const e = document.getElementById({name!r}); e.value = {value!r};"
        " e.dispatchEvent(new Event('change')); e.dispatchEvent(new Event('input')); })()"
    )
    settle(browser)


def click(browser, selector):
    browser.click(selector)
    settle(browser)


def test_drawing_changes_the_cue_and_the_answer(visit):
    browser = visit()
    assert text(browser, "verdict-title") == "Stored pattern"
    before = browser.run(f"{PAGE}.answerOf({PAGE}.settings.values).state")
    x, y = browser.place("#cue")
    browser.drag([(x - 90, y - 90), (x - 20, y - 90), (x + 80, y - 80)])
    settle(browser)
    assert values(browser)["cue"]
    assert browser.run(f"{PAGE}.answerOf({PAGE}.settings.values).state") != before
    click(browser, "#undo")
    assert values(browser)["cue"] == ""
    assert browser.run(f"{PAGE}.answerOf({PAGE}.settings.values).state") == before


def test_hiding_a_half_and_its_meaning_decide_the_answer(visit):
    browser = visit("beta=30&count=1000&source=1")
    assert "right one" in text(browser, "verdict-mark") and "✓" in text(browser, "verdict-mark")
    choose(browser, "hidden-as", "background")
    assert "✗" in text(browser, "verdict-mark")
    click(browser, "[data-hide=none]")
    assert "✓" in text(browser, "verdict-mark")


def test_every_button_of_the_cue_changes_it(visit):
    browser = visit("network=classical&count=5")
    for selector in ("[data-hide=top]", "[data-hide=left]", "[data-damage=flip]",
                     "[data-damage=noise]", "[data-damage=clear]", "#restore"):  # fmt: skip
        before = values(browser)
        click(browser, selector)
        after = values(browser)
        assert (before["cue"], before["hidden"]) != (after["cue"], after["hidden"]), selector


def test_steps_run_pause_and_stop_at_the_end(visit):
    browser = visit("tour=units&page=0")
    assert browser.run("document.getElementById('step').max") == "2"
    for expected in ("the cue", "step 1 of 2", "the end, step 2"):
        click(browser, "#step-button")
        assert text(browser, "step-label") == expected
    click(browser, "#run")
    assert text(browser, "run") == "Pause"
    click(browser, "#run")
    assert text(browser, "run") == "Run"


def test_networks_and_their_controls(visit):
    browser = visit()
    for network, shown, hidden in (
        ("classical", "rule", "beta"), ("dense", "interaction", "rule"),
        ("modern", "similarity", "schedule"),
    ):  # fmt: skip
        click(browser, f"[data-value={network}]")
        assert values(browser)["network"] == network
        is_shown = "document.querySelector('#{}').checkVisibility()"
        assert browser.run(is_shown.format(shown)) and not browser.run(is_shown.format(hidden))


def test_beta_blurs(visit):
    browser = visit()
    choose(browser, "beta", "-1")
    assert values(browser)["beta"] == 0.1 and text(browser, "verdict-title") == "Mixture"


def test_a_picture_of_ones_own_and_a_drawing_are_stored_and_recalled(visit, tmp_path):
    pixels = np.full((40, 40), 255, np.uint8)
    pixels[5:20, 5:35] = 0
    Image.fromarray(pixels).save(tmp_path / "own.png")
    browser = visit("beta=30")
    browser.choose_file("#upload", tmp_path / "own.png")
    for _ in range(100):
        settle(browser)
        if values(browser)["own"]:
            break
    assert values(browser)["source"] == 10 and "own 1" in text(browser, "cue-source")
    assert "✓" in text(browser, "verdict-mark")
    click(browser, "[data-damage=flip]")
    click(browser, "#keep")
    assert "own 2" in text(browser, "cue-source")
    assert "and 2 of your own" in text(browser, "own-count")
    click(browser, "#forget")
    assert values(browser)["own"] == ""


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


def test_only_weights_of_exactly_0_are_shown_as_0(visit):
    strongest = "document.getElementById('strongest').getAttribute('aria-label')"
    assert visit("beta=100").run(strongest).endswith("≈ 0")
    browser = visit("beta=0.5&separation=sparsemax&source=0")
    assert browser.run(strongest).endswith(" 0") and "≈" not in browser.run(strongest)
    assert "7 of 10 patterns have weight 0" in text(browser, "explore-body")


@pytest.mark.parametrize("tour", TOURS)
def test_tours_show_what_they_say(visit, tour):
    browser = visit(f"tour={tour}")
    steps = browser.run(f"{PAGE}.tours[{tour!r}].steps.map(step => step.expect)")
    for number, (kind, is_right) in enumerate(steps):
        assert text(browser, "story-count") == f"{number + 1} of {len(steps)}"
        verdict = browser.run(
            f"{PAGE}.verdictOf({PAGE}.settings.values, {PAGE}.answerOf({PAGE}.settings.values))"
        )
        assert (verdict["kind"], verdict["isRight"]) == (kind, is_right), number
        click(browser, "#story-next")
    assert values(browser)["tour"] == ""


def test_the_list_of_tours_is_whole(visit):
    browser = visit()
    assert browser.run(f"Object.keys({PAGE}.tours)") == list(TOURS)
    choose(browser, "tours", "unknown")
    assert values(browser)["tour"] == "unknown"


@pytest.mark.parametrize("tab", ["beta", "compare", "landscape", "basin", "why"])
@pytest.mark.parametrize("network", ["classical", "dense", "modern"])
def test_every_view_of_explore_is_drawn(visit, tab, network):
    browser = visit(f"network={network}&explore={tab}&count=6&beta=1")
    for _ in range(300):
        settle(browser)
        drawn = browser.run("document.getElementById('explore-body').innerText")
        if len(drawn) > 100 and "…" not in drawn:
            break
    assert len(drawn) > 100, drawn


def test_a_remedy_mends(visit):
    browser = visit("network=classical&count=10&explore=why")
    assert "✗" in text(browser, "verdict-mark")
    for _ in range(100):
        settle(browser)
        if browser.run("document.querySelectorAll('.remedies button').length"):
            break
    click(browser, ".remedies button")
    assert "✓" in text(browser, "verdict-mark")


def test_pictures_are_added_until_recall_fails(visit):
    browser = visit("network=classical&rule=pseudo_inverse&count=20&source=0&explore=compare")
    click(browser, "#explore-body button.main")
    for _ in range(600):
        settle(browser)
        if browser.run("document.getElementById('explore-body').innerText").endswith("this one."):
            break
    assert values(browser)["count"] > 20 and "✗" in text(browser, "verdict-mark")


def random_settings(source):
    network = source.choice(["classical", "dense", "modern"])
    data = source.choice(["digits", "digits", "shapes", "random"])
    size = 64 if data == "digits" else 256
    chosen = {
        "network": network, "data": data, "count": source.randint(1, 8),
        "rule": source.choice(["hebbian", "covariance", "pseudo_inverse", "storkey"]),
        "schedule": source.choice(["asynchronous", "synchronous"]),
        "temperature": source.choice([0, 0, 0.5]), "k": source.randint(1, 5),
        "separation": source.choice(["softmax", "sparsemax", "entmax", "topk"]),
        "interaction": source.choice(["softmax", "polynomial", "rectified"]),
        "degree": source.randint(2, 6), "similarity": source.choice(["dot", "euclidean"]),
        "beta": source.choice([0.1, 0.5, 3, 20]), "source": source.randint(0, 7),
        "hiddenAs": source.choice(["unknown", "background"]), "seed": source.randint(0, 99),
        "clamp": source.random() < 0.7,
    }  # fmt: skip
    letters = "ABCDEFGHIJKLMNOPQ"
    if source.random() < 0.5:
        chosen["cue"] = "".join(source.choice(letters) for _ in range(size))
    if source.random() < 0.5:
        chosen["hidden"] = "".join(source.choice("AB") for _ in range(size))
    if source.random() < 0.3:
        chosen["own"] = "".join(source.choice(letters) for _ in range(size))
    return chosen


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


def test_the_address_holds_the_state(visit, browser, address):
    source = random.Random(1)
    visit()
    for _ in range(10):
        chosen = random_settings(source)
        browser.run(f"{PAGE}.settings.set({{...{PAGE}.defaults, ...{json.dumps(chosen)}}})")
        held = browser.run(f"'#' + {PAGE}.hashOf({PAGE}.settings.values)")
        browser.run(  # the address follows a little later
            "new Promise(done => { const look = () =>"
            f" location.hash === {held!r} ? done() : setTimeout(look, 20); look(); }})"
        )
        before = values(browser)
        visit(held.lstrip("#"))
        assert values(browser) == before


def test_a_change_within_a_tour_survives_the_address(visit):
    browser = visit("tour=unknown&page=1&beta=4")
    assert values(browser)["beta"] == 4 and values(browser)["count"] == 1000
    assert browser.run(f"{PAGE}.hashOf({PAGE}.settings.values)") == "beta=4&tour=unknown&page=1"


@pytest.mark.parametrize(
    "hash_",
    ["cue=zzzzzz", "hidden=QQQ", "own=<b>.AA", "beta=NaN", "count=-5", "data=x", "tour=none&page=9",
     "source=900", "cue=%3Cscript%3E", "step=70", "beta=1e9&network=dense", "temperature=9",
     "tour=constructor", "tour=__proto__&page=2", "__proto__=1", "toString=x"],
)  # fmt: skip
def test_addresses_that_hold_nonsense_show_a_page(visit, hash_):
    assert text(visit(hash_), "verdict-title")


def test_a_blurred_end_at_the_right_pattern_is_not_called_another_one(visit):
    browser = visit("beta=1.2")
    assert text(browser, "verdict-text").startswith("It ended at pattern 3")
    assert text(browser, "verdict-mark") == "✗ the right one, but not exactly"


def test_why_brings_the_reasons_into_view_on_a_phone(visit):
    browser = visit("network=classical&count=4", SIZES[1])
    click(browser, "#ask-why")
    top, bottom = browser.run(
        "(() => { const box = document.getElementById('explore').getBoundingClientRect();"
        " return [box.top, box.bottom]; })()"
    )
    assert 0 <= top < bottom <= SIZES[1][1] + 1


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


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_sticks_out_and_themes_differ(visit, size, dark):
    browser = visit("", size, dark)
    assert browser.run("document.documentElement.scrollWidth") <= size[0]
    ink = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (ink == "rgb(14, 18, 25)") == dark
    click(browser, "#theme")
    assert browser.run("document.documentElement.dataset.theme") == "light"


def test_a_tour_moves_nothing_on_the_page(visit):
    browser = visit()
    top = "document.querySelector('main').getBoundingClientRect().top"
    before = browser.run(top)
    for tour in TOURS:
        for page in range(5):
            browser.run(f"{PAGE}.settings.set({{tour: {tour!r}, page: {page}}})")
            settle(browser)
            assert browser.run(top) == before, (tour, page)


def test_the_page_can_be_used_without_a_mouse(visit):
    browser = visit()
    browser.run("document.getElementById('cue').focus()")
    for key in ("ArrowRight", "ArrowRight", " "):
        browser.press(key)
    settle(browser)
    assert values(browser)["cue"]
    browser.run("document.getElementById('gallery').focus()")
    browser.press("ArrowRight")
    settle(browser)
    assert values(browser)["source"] == 4
    browser.run("document.querySelector('[data-value=modern]').focus()")
    browser.press("ArrowLeft")
    settle(browser)
    assert values(browser)["network"] == "dense"
