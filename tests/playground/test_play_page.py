"""The page as a visitor uses it: draw, hide, retrieve, switch, follow tours."""

import json

import numpy as np
import pytest

from playing import PAGE, SIZES, TOURS, answer, choose, click, settle, text, values, wait_for

HELP = "document.getElementById('help').matches(':popover-open')"


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


@pytest.mark.parametrize("slow", ["network=classical&rule=perceptron", "network=modern&beta=auto"])
def test_long_learning_waits_until_the_slider_rests(visit, slow):
    """A network of each number of pictures on the way would stop the pointer."""
    browser = visit(f"{slow}&count=5")
    seen = browser.run(
        "(() => { const [slider, seen] = [document.getElementById('count-slider'), []];"
        " for (const place of [22, 25, 27]) { slider.value = place;"
        f" slider.dispatchEvent(new Event('input')); seen.push({PAGE}.settings.values.count); }}"
        " return [seen, Number(document.getElementById('count').value)]; })()"
    )
    assert seen[0] == [5, 5, 5] and seen[1] > 100
    wait_for(lambda: values(browser)["count"] == seen[1], browser, 600)
    assert values(browser)["count"] == seen[1]
    settle(browser)
    assert len(answer(browser)["weights"]) == seen[1]


def test_every_button_of_the_cue_changes_it(visit):
    browser = visit("network=classical&count=5")
    for selector in ("[data-hide=top]", "[data-hide=left]", "[data-damage=flip]",
                     "[data-damage=noise]", "#restore", "[data-damage=clear]"):  # fmt: skip
        before = values(browser)
        click(browser, selector)
        after = values(browser)
        assert (before["cue"], before["hidden"]) != (after["cue"], after["hidden"]), selector


def test_brushes_erase_hide_and_show(visit):
    """Each brush changes what it says along a stroke, and nothing else."""
    browser = visit("network=classical&source=0")
    click(browser, "[data-hide=none]")
    x, y = browser.place("#cue")
    stroke = [(x - 20, y - 60), (x - 20, y + 60)]
    whole = answer(browser)["states"][0]

    def paint(brush):
        click(browser, f"[data-brush={brush}]")
        browser.drag(stroke)
        settle(browser)
        return answer(browser)["states"][0]

    hidden = paint("hide")
    (at,) = np.nonzero(np.not_equal(hidden, whole))
    assert {hidden[i] for i in at} == {0} and set(at % 8) == {3} and len(at) == 6
    assert paint("show") == whole
    erased = paint("erase")
    assert {erased[i] for i in at} == {-1} and np.delete(erased, at).tolist() == (
        np.delete(whole, at).tolist()
    )
    drawn = paint("draw")
    assert {drawn[i] for i in at} == {1}


def test_other_random_numbers_give_another_run(visit):
    browser = visit("network=classical&temperature=1&count=4")
    runs = []
    for _ in range(3):
        runs.append(json.dumps(answer(browser)["states"]))
        click(browser, "#draw-again")
    assert len(set(runs)) == 3 and values(browser)["seed"] == 3


def test_a_blank_sheet_is_a_drawing_which_is_stored_once_it_has_ink(visit):
    browser = visit()
    click(browser, "[data-damage=clear]")
    assert text(browser, "cue-source") == "a drawing" and not any(answer(browser)["states"][0])
    assert browser.run("document.getElementById('restore').disabled")
    click(browser, "#keep")
    assert "no ink" in text(browser, "toast") and values(browser)["own"] == ""
    browser.click("#cue")
    click(browser, "#keep")
    assert text(browser, "cue-source") == "from pattern 10 (own 1)"


def test_the_cue_stays_where_its_picture_is_stored_no_more(visit):
    browser = visit("count=6&source=5")
    cue = answer(browser)["states"][0]
    for count, source, mark in ((3, ", not stored", "not stored"), (8, "from pattern 5", "✓")):
        browser.run(f"{PAGE}.settings.set({{count: {count}}})")
        settle(browser)
        assert source in text(browser, "cue-source") and mark in text(browser, "verdict-mark")
        assert answer(browser)["states"][0] == cue


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


def test_the_patterns_decide_beta(visit):
    browser = visit("count=20")
    click(browser, "#beta-auto")
    fitted = text(browser, "beta-value")
    assert values(browser)["beta"] == "auto" and fitted != "4"
    choose(browser, "separation", "sparsemax")
    assert text(browser, "beta-value") != fitted and values(browser)["beta"] == "auto"
    click(browser, "[data-value=dense]")
    assert values(browser)["beta"] == 1
    click(browser, "[data-value=modern]")
    click(browser, "#beta-auto")
    click(browser, "#beta-auto")
    assert values(browser)["beta"] == float(text(browser, "beta-value"))


def test_hidden_pixels_can_count_after_the_first_read(visit):
    """With all pixels as evidence, a blend moves on where known pixels alone would end."""
    browser = visit("beta=1&source=0&count=30")
    steps = answer(browser)["steps"]
    choose(browser, "hidden-as", "first")
    assert answer(browser)["steps"] > steps
    click(browser, "#share-python")
    assert 'evidence="all"' in text(browser, "python-text")


def test_beta_blurs(visit):
    browser = visit()
    choose(browser, "beta", "-1")
    assert values(browser)["beta"] == 0.1 and text(browser, "verdict-title") == "Mixture"


def test_only_weights_of_exactly_0_are_shown_as_0(visit):
    strongest = "document.getElementById('strongest').getAttribute('aria-label')"
    assert visit("beta=100").run(strongest).endswith("≈ 0, overlap 0.77")
    browser = visit("beta=0.5&separation=sparsemax&source=0")
    assert " 0, overlap" in browser.run(strongest) and "≈" not in browser.run(strongest)
    assert "7 of 10 patterns have weight 0" in text(browser, "explore-body")


@pytest.mark.parametrize("tour", TOURS)
def test_tours_show_what_they_say(visit, tour):
    browser = visit(f"tour={tour}")
    steps = browser.run(f"{PAGE}.tours[{tour!r}].steps.map(step => step.expect)")
    click(browser, "#story-source")
    assert browser.run(HELP) and "tutorial" in text(browser, "help")
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


def test_the_basin_shows_a_copy_on_each_side_of_its_edge(visit):
    browser = visit("explore=basin")
    label = "document.querySelector('.examples').getAttribute('aria-label') ?? ''"
    wait_for(lambda: browser.run(label), browser, 300)
    assert browser.run(label) == (
        "A copy with 40 % damage is inside: returns. A copy with 50 % damage is outside: does not"
    )


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


@pytest.mark.parametrize("size", SIZES)
def test_explanations_open_by_mouse_finger_and_keyboard(visit, size):
    browser = visit("network=classical", size)
    buttons = browser.run("[...document.querySelectorAll('.help')].filter(e => e.checkVisibility())"
                          ".map(e => e.getAttribute('aria-label'))")  # fmt: skip
    assert len(buttons) == len(set(buttons)) >= 9
    click(browser, '[aria-label="About Rule"]')
    assert browser.run(HELP) and text(browser, "help").startswith("How patterns are written")
    left, top, right, bottom = browser.run(
        "(() => { const box = document.getElementById('help').getBoundingClientRect();"
        " return [box.left, box.top, box.right, box.bottom]; })()"
    )
    assert 0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]
    browser.press("Escape")
    assert not browser.run(HELP)
    browser.touch('[aria-label="About Temperature"]')
    settle(browser)
    assert browser.run(HELP) and "probability" in text(browser, "help")
    browser.touch("#energy")
    settle(browser)
    assert not browser.run(HELP)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_sticks_out_and_themes_differ(visit, size, dark):
    browser = visit("", size, dark)
    assert browser.run("document.documentElement.scrollWidth") <= size[0]
    ink = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (ink == "rgb(14, 18, 25)") == dark
    click(browser, "#theme")
    assert browser.run("document.documentElement.dataset.theme") == "light"


@pytest.mark.parametrize("size", SIZES)
def test_steps_of_a_tour_and_views_move_nothing_on_the_page(visit, size):
    browser = visit("" if size[0] > 600 else "tour=one", size)
    tops = (
        "['cue-panel', 'retrieval', 'numbers', 'memory', 'explore'].map(id =>"
        " document.getElementById(id).getBoundingClientRect().top)"
    )
    before = browser.run(f"[...{tops}, document.documentElement.scrollHeight]")
    for tour in TOURS:
        for page in range(5):
            browser.run(f"location.hash = 'tour={tour}&page={page}'; 0")
            settle(browser)
            assert browser.run(tops)[:4] == before[:4], (tour, page)
    for tab in ("compare", "landscape", "basin", "why", "beta"):
        browser.run(f"location.hash = 'tour=grey&explore={tab}'; 0")
        settle(browser)
        assert browser.run(f"[...{tops}, document.documentElement.scrollHeight]") == before, tab


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
