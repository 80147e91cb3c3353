"""A browser for each file of tests, and pages opened in it."""

import pytest

import chromium
from hopfield_play import build
from playing import SIZES, settle


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    return build.write(tmp_path_factory.mktemp("page") / "page.html").as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if chromium.find() is None:
        pytest.skip("no Chromium on this machine")
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
