"""The address holds what is on screen, whatever an address holds."""

import json
import random

import pytest

from playing import PAGE, settle, text, values
from random_pages import random_settings

LETTERS = "ABCDEFGHIJKLMNOPQbcdefghijklmnopqrstuvwxyz"
NONSENSE = (
    "", " ", "NaN", "-0", "-1", "0", "3.7", "70", "900", "1e9", "-1e400", "0x1F", "true", "null",
    "%3Cscript%3Ealert(1)%3C/script%3E", "%E0%A4%A", "%00", "\u20ac\U0001f600", "__proto__",
    "constructor", "<b>.AA", "zzzzzz", "QQQ", "AA", "a", "A" * 64, "Q" * 256, "z" * 5000,
    "A" * 200_000, "zzl." * 60, "QzzkQ", "classical", "dense", "random", "shapes", "unknown",
)  # fmt: skip


def follow_address(browser):
    """Wait until the address holds the settings, and return its part behind #."""
    return browser.run(
        "new Promise(done => { const look = () => { const held ="
        f" {PAGE}.hashOf({PAGE}.settings.values);"
        " decodeURI(location.hash.slice(1)) === held ? done(held) : setTimeout(look, 20); };"
        " look(); })"
    )


def test_the_address_holds_the_state(visit, browser, address):
    source = random.Random(1)
    visit()
    for _ in range(10):
        chosen = random_settings(source)
        browser.run(f"{PAGE}.settings.set({{...{PAGE}.defaults, ...{json.dumps(chosen)}}})")
        held = follow_address(browser)
        before = values(browser)
        visit(held)
        assert values(browser) == before


def test_a_change_within_a_tour_survives_the_address(visit):
    browser = visit("tour=unknown&page=1&beta=4")
    assert values(browser)["beta"] == 4 and values(browser)["count"] == 1000
    assert browser.run(f"{PAGE}.hashOf({PAGE}.settings.values)") == "beta=4&tour=unknown&page=1"


def shown(browser):
    """Return what the controls show, by the name of the setting."""
    return browser.run(
        "Object.fromEntries([['count', Number(document.getElementById('count').value)],"
        " ['clamp', document.getElementById('clamp').checked],"
        " ['explore', document.querySelector('[data-tab][aria-selected=true]').dataset.tab],"
        " ['network', document.querySelector('[data-value][aria-checked=true]').dataset.value],"
        " ['tour', document.getElementById('tours').value],"
        " ...[...document.querySelectorAll('[data-setting]')].map("
        "   e => [e.dataset.setting, e.value]),"
        " ...[...document.querySelectorAll('[data-number], [data-log]')].map(e => "
        "   [e.dataset.number ?? e.dataset.log,"
        "    Number(document.getElementById(`${e.id}-value`).textContent)])])"
    )


def nonsense(source, names):
    """Return an address of a few settings with values of any kind, some of the right one."""
    parts, sensible = [], random_settings(source)
    for name in source.sample([*names, "__proto__", "toString", "x"], source.randint(1, 5)):
        value = source.choice(NONSENSE)
        if name in sensible and source.random() < 0.5:
            value = str(sensible[name])
        elif source.random() < 0.3:
            size = source.choice([3, 64, 256])
            value = "".join(source.choice(LETTERS) for _ in range(size))
        parts.append(f"{name}={value}")
    return "&".join(parts)


def test_any_address_ends_at_one_that_holds_what_is_shown(visit):
    browser, source, kinds = visit(), random.Random(2), set()
    names = browser.run(f"Object.keys({PAGE}.defaults)")
    for _ in range(120):
        hash_ = nonsense(source, names)
        browser.run(f"location.hash = {json.dumps(hash_)}; 0")
        settle(browser)
        now = values(browser)
        assert text(browser, "verdict-title"), hash_[:200]
        for name, value in shown(browser).items():
            assert now[name] in (value, "auto"), (name, hash_[:200])
        held = browser.run(f"{PAGE}.hashOf({PAGE}.settings.values)")
        again = browser.run(f"{PAGE}.tidied({PAGE}.settingsFrom({json.dumps(held)}))")
        assert again == now, hash_[:200]
        assert len(held) < 12_000
        kinds.add(held)
    assert len(kinds) > 30, "premise: addresses differ"
    assert follow_address(browser) == held


@pytest.mark.parametrize(
    ("hash_", "held"),
    [("count=-5", "count=1"), ("count=1e9", "count=1000"), ("beta=0", "beta=0.01"),
     ("beta=3.14159", "beta=3.14"), ("clamp=maybe", ""), ("step=70", ""), ("tour=none&page=9", ""),
     ("data=shapes&count=50", "data=shapes&count=8"), ("source=5000", "source=0"),
     ("cue=QQQ&hidden=%3Cscript%3E", ""), ("__proto__=1&toString=x", "")],
)  # fmt: skip
def test_values_out_of_range_leave_the_address(visit, hash_, held):
    browser = visit(hash_)
    assert follow_address(browser) == held
