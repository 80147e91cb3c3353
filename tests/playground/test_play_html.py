"""The page as text: one small file, whose controls have names."""

import re
from html.parser import HTMLParser

from hopfield_play import build

LARGEST = 500_000


def test_the_page_is_one_small_file_without_addresses_of_the_network():
    page = build.page()
    assert len(page.encode()) <= LARGEST
    assert not re.search(r"https?://|//cdn|@import|url\(", page)
    assert f"on {build.CASES} cases" in page and "{{" not in page.partition("<script")[0]


class Controls(HTMLParser):
    """Collects controls without a name for screen readers."""

    def __init__(self):
        super().__init__()
        self.labels, self.controls, self.inside = set(), [], False

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "label":
            self.labels.add(given.get("for"))
            self.inside = True
        elif tag in ("select", "input", "canvas") and not self.inside:
            self.controls.append((given.get("id"), given.get("aria-label")))

    def handle_endtag(self, tag):
        if tag == "label":
            self.inside = False


def test_every_control_has_a_name():
    found = Controls()
    found.feed(build.page().partition('<script id="digits"')[0])
    assert len(found.controls) > 12
    assert not [name for name, label in found.controls if not label and name not in found.labels]
