"""The page as text: one small file, whose controls have names."""

import re
from html.parser import HTMLParser

from hopfield_play import build
from hopfield_play.sources import SOURCES

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


THEMES = re.compile(r"\{([^{}]*--page:[^{}]*)\}")
PAIRS = [
    *(("text", ground) for ground in ("page", "panel", "field")),
    *(("soft", ground) for ground in ("page", "panel", "field")),
    ("accent-text", "accent"), ("good", "field"), ("bad", "field"), ("page", "text"),
]  # fmt: skip


def luminance(colour):
    """Return the relative luminance of #rrggbb, as WCAG defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_text_can_be_read_on_its_ground_in_all_themes():
    themes = THEMES.findall((SOURCES / "style.css").read_text("utf-8"))
    assert len(themes) == 3
    for theme in themes:
        colours = dict(re.findall(r"--([\w-]+): (#\w{6})", theme))
        for text, ground in PAIRS:
            light = sorted(luminance(colours[name]) for name in (text, ground))
            assert (light[1] + 0.05) / (light[0] + 0.05) >= 4.5, (text, ground)
