"""What a visitor of the playground does and sees."""

import json
from typing import Any

from chromium import Browser

PAGE = "globalThis.hopfieldPlayground"
SIZES = [(1280, 800), (390, 844)]
TOURS = ("one", "several", "dense", "grey", "sharp", "units", "attention", "unknown")


def settle(browser: Browser) -> None:
    """Wait until changes are drawn."""
    browser.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def wait_for(is_done: Any, browser: Browser, redrawings: int = 100) -> None:
    """Wait until a condition holds, for a number of redrawings at most."""
    for _ in range(redrawings):
        settle(browser)
        if is_done():
            break


def values(browser: Browser) -> dict[str, Any]:
    """Return the settings of the page."""
    found: dict[str, Any] = browser.run(f"{PAGE}.settings.values")
    return found


def answer(browser: Browser) -> dict[str, Any]:
    """Return the retrieval that the page shows."""
    text_ = browser.run(
        f"JSON.stringify({PAGE}.answerOf({PAGE}.settings.values),"
        " (_, value) => ArrayBuffer.isView(value) ? [...value] : value)"
    )
    found: dict[str, Any] = json.loads(text_)
    return found


def text(browser: Browser, name: str) -> str:
    """Return the text of an element."""
    return str(browser.run(f"document.getElementById({name!r}).textContent"))


def choose(browser: Browser, name: str, value: str) -> None:
    """Set a select or a slider."""
    browser.run(
        f"(() => {{ const e = document.getElementById({name!r}); e.value = {value!r};"
        " e.dispatchEvent(new Event('change')); e.dispatchEvent(new Event('input')); })()"
    )
    settle(browser)


def click(browser: Browser, selector: str) -> None:
    """Click on an element, and wait until the change is drawn."""
    browser.click(selector)
    settle(browser)
