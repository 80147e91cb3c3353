"""The page: self-contained, made from the records alone, sound HTML, light and dark."""

import copy
import re
from collections import Counter
from functools import cache
from html.parser import HTMLParser

import pytest
from matplotlib.figure import Figure

import quick_demo
from hopfield.experiments import records
from hopfield_play.sources import SOURCES
from hopfield_studies import claims, from_scratch, report

VOID = {"meta", "link", "br", "img", "hr", "use", "path"}


@cache
def _page():
    return report.page(records.header(data="digits", seed=0), quick_demo.lines())


class Reader(HTMLParser):
    """Collects tags, attributes and text, and fails on elements that are closed out of order."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.attributes, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def _read(html):
    reader = Reader()
    reader.feed(html)
    assert not reader.open
    return reader


def _text(html):
    return " ".join(" ".join(_read(html).text).replace("\u00a0", " ").split())


def test_nothing_outside_the_page_is_asked_for():
    html = _page()
    assert "http" not in html and "@import" not in html and "<script" not in html
    for tag, name, value in _read(html).attributes:
        if name in ("src", "href", "xlink:href", "srcset", "data"):
            assert value.startswith(("#", "data:")), (tag, name, value[:60])
    for target in re.findall(r"url\(([^)]*)\)", html):
        assert target.startswith("#"), target


def test_every_section_is_there_and_linked():
    html = _page()
    reader = _read(html)
    ids = {value for _, name, value in reader.attributes if name == "id"}
    links = {value[1:] for tag, name, value in reader.attributes if (tag, name) == ("a", "href")}
    assert len(links) == len(report.SECTIONS) + 1 == reader.seen.count("section")
    assert links <= ids


def test_ids_are_unique_and_references_lead_somewhere():
    reader = _read(_page())
    counts = Counter(value for _, name, value in reader.attributes if name == "id")
    assert not [name for name, count in counts.items() if count > 1]
    used = {value[1:] for _, name, value in reader.attributes if name == "href" and value[0] == "#"}
    used |= set(re.findall(r"url\(#([^)]*)\)", _page()))
    assert used <= counts.keys()


def test_figures_have_captions_that_are_also_read_aloud():
    html = _page()
    figures = re.findall(r"<figure>.*?</figure>", html, flags=re.DOTALL)
    assert len(figures) > 20, "premise: there are figures"
    for figure in figures:
        label = re.search(r'role="img" aria-label="([^"]+)"', figure)[1]
        assert f"<figcaption>{label}</figcaption>" in figure


def test_the_page_has_one_language_one_title_and_one_heading():
    html = _page()
    assert '<html lang="en">' in html and html.startswith("<!doctype html>")
    assert html.count("<h1>") == 1 and html.count("<title>") == 1
    assert 'name="viewport"' in html and "prefers-color-scheme: dark" in html


def test_figures_take_their_colours_from_the_page():
    body = _page().split("</style>")[1]
    assert "<svg" in body, "premise: the figures come after the style"
    for colour in report.html.VARIABLES:
        assert colour not in body
    assert "var(--ink)" in body and "var(--blue)" in body


def test_photographs_are_drawn_as_they_are_and_ink_is_turned_over_in_the_dark():
    style, body = _page().split("</style>")
    assert "svg.pictures:not(.light) { filter: invert(1)" in style
    assert 'class="pictures"' in body and 'class="pictures light"' not in body
    lines = copy.deepcopy(list(quick_demo.lines()))
    for line in lines:
        line.update({"light": True} if "light" in line else {})
    html = report.page(records.header(data="digits"), lines)
    assert html.count('class="pictures light"') == body.count('class="pictures"')
    assert "white is +1" in _text(html) and "ink is +1" in _text(_page())


def test_every_claim_is_on_the_page_with_its_verdict():
    text = _text(_page())
    for row in claims.judge(quick_demo.lines()):
        assert row["case"] in text
        assert row["measured"][1:].replace("\u00a0", " ") in text
    counts = Counter(row["verdict"] for row in claims.judge(quick_demo.lines()))
    said = {verdict: (verdict, plural) for verdict, _, plural in report.KINDS}
    for verdict, count in counts.items():
        assert f" {count} {said[verdict][count > 1]} " in text


def test_the_page_links_to_tours_that_the_playground_has():
    html = report.page(records.header(data="digits"), quick_demo.lines(), "playground.html")
    links = re.findall(r'href="playground\.html([^"]*)"', html)
    assert links == ["", *(f"#tour={tour}" for tour in report.TOURS.values())]
    texts = (SOURCES / "tour_texts.js").read_text("utf-8")
    tours = re.search(r"export const TOURS = \{([^}]*)\}", texts)[1]
    assert set(report.TOURS.values()) <= set(re.findall(r"\w+", tours))


def test_the_summary_shows_the_pseudo_inverse():
    header = _page().split("<section")[0]
    (line,) = records.select(quick_demo.lines(), "classical", case="pseudo_inverse")
    row = re.search(r"<tr>(?:(?!</tr>).)*pseudo-inverse.*?</tr>", header)[0]
    assert f"{100 * line['exact_blind']:.3g}" in _text(row) and "—" in row


def test_what_is_folded_away_has_a_title_and_stays_in_its_section():
    sections = re.findall(r"<section.*?</section>", _page(), flags=re.DOTALL)
    folds = [len(re.findall(r"<details><summary>", section)) for section in sections]
    assert folds == [section.count("</details>") for section in sections]
    assert sum(folds) == len(claims.CLAIMS) + 5, "one per claim, and five parts of sections"


def _words(lines):
    """The text of a page whose drawings, which take most of its time, are empty."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", lambda self, file, **_: file.write(EMPTY))
        return _text(report.page(records.header(data="digits"), lines))


def _with(experiment, fields, **values):
    """The page with `values` in the records of `experiment` that match."""
    lines = copy.deepcopy(list(quick_demo.lines()))
    for line in records.select(lines, experiment, **fields):
        assert set(values) <= set(line), "premise: the fields exist"
        line.update(values)
    return _words(lines)


EMPTY = '<svg viewBox="0 0 1 1"></svg>'
# (experiment, fields, values, what the page then says, what it says otherwise)
SAYINGS = [
    ("images", {}, {"threshold": 0.47}, "every pixel above the mean, 0.47", "every pixel above 0"),
    ("stationary", {"similarity": "dot"}, {"settled": 0.75}, "up to 25 % of them still moved", ""),
    ("steps", {"similarity": "euclidean"}, {"one_is_enough": 0.5}, "", "enough by construction"),
]  # fmt: skip


@pytest.mark.parametrize(("experiment", "fields", "values", "then", "otherwise"), SAYINGS)
def test_a_sentence_is_said_only_where_it_is_true(experiment, fields, values, then, otherwise):
    text = _with(experiment, fields, **values)
    assert then in text
    if otherwise:
        assert otherwise in _text(_page()) and otherwise not in text


@pytest.mark.parametrize(
    ("energies", "says"),
    [
        ([-1.0, -3.0, -2.0, -3.0, -2.0], "in the cycle it alternates between −3 and −2."),
        ([-1.0, -3.0, -3.0, -3.0, -3.0], "in the cycle it stays at −3."),
    ],
)
def test_the_energy_of_a_cycle_is_told_as_it_is(energies, says):
    lines = [line for line in quick_demo.lines() if line["experiment"] != "oscillation"]
    cycles = list(from_scratch.oscillation(from_scratch.OscillationConfig()))
    records.find(cycles, "oscillation", case="synchronous")["cycle_energies"] = energies
    text = _words([*lines, *cycles])
    assert f"Its energy: −1 at the start; {says}" in text


def test_equations_do_not_break_across_lines():
    assert "β\u00a0=\u00a08" in _page()
    assert not re.search(r"β = \d", re.sub(r"<svg.*?</svg>", "", _page(), flags=re.DOTALL))


# (experiment, its records, a field, a value that no run gives, how the page writes it)
CHANGES = [
    ("images", {}, "overlap", 0.1234, "0.123"),
    ("images", {}, "images", 54321, "54 321"),
    ("classical", {"case": "document", "n": 10}, "exact_blind", 0.43211, "43.2"),
    ("dense", {"case": "unknown", "n": 10}, "exact", 0.44321, "44.3"),
    ("modern", {"case": "sharp", "n": 100}, "exact", 0.45432, "45.4"),
    ("beta_sweep", {"similarity": "dot"}, "patterns_in_mixture", 76543.0, "76 543"),
    ("stationary", {"similarity": "dot"}, "stored_kept", 0.46543, "46.5"),
    ("steps", {}, "most", 4321, "4 321"),
    ("energies", {}, "document_rises", 0.47654, "47.7"),
    ("encodings", {"case": "0/1"}, "right", 0.48765, "48.8"),
    ("speed", {}, "loop_ms", 87654.0, "87 654"),
    ("overflow", {}, "largest_score", 65432.0, "65 432"),
    ("descent", {}, "end", -98.76, "−98.8"),
    ("load", {}, "two_or_three", 0.49876, "49.9"),
    ("oscillation", {}, "cycling", 0.41234, "41.2"),
    ("gaussian", {}, "lowest_cosine", 0.4321, "0.4321"),
    ("attention", {}, "difference", 4.3e-5, "4.3·10⁻⁵"),
    ("summary", {}, "modern", 4.4e-5, "4.4·10⁻⁵"),
]


@cache
def _untimed_text():
    """The page with timings of 1 ms, which are different in every run."""
    lines = copy.deepcopy(list(quick_demo.lines()))
    for line in records.select(lines, "speed"):
        line.update({key: 1.0 for key in line if key.endswith("_ms")})
    return _words(lines)


@cache
def _changed_text():
    """The page with every change made, its deviations 0."""
    lines = copy.deepcopy(list(quick_demo.lines()))
    for experiment, fields, name, value, _ in CHANGES:
        for line in records.select(lines, experiment, **fields):
            assert name in line, "premise: the field exists"
            line[name] = value
    for line in lines:
        line.update({key: 0.0 for key in line if key.endswith("_sd")})
    return _words(lines)


@pytest.mark.parametrize(("experiment", "fields", "name", "value", "written"), CHANGES)
def test_a_changed_record_changes_the_page(experiment, fields, name, value, written):
    assert written not in _untimed_text(), "premise: no other figure is written like this"
    assert written in _changed_text()


def test_sections_without_records_are_left_out():
    lines = [line for line in quick_demo.lines() if line["experiment"] in ("images", "flips")]
    html = report.page(records.header(data="digits"), lines)
    assert 'id="images"' in html and 'id="dense"' not in html
    assert claims.UNKNOWN in _text(html)


def test_a_page_without_any_records_is_still_a_page():
    _read(report.page(records.header(), []))


def test_names_are_escaped():
    lines = copy.deepcopy(list(quick_demo.lines()))
    lines = [line for line in lines if line["experiment"] == "images"]
    lines[0]["data"] = "<b>&"
    html = report.page(records.header(data="<b>&"), lines)
    assert "<b>&" not in html.split("</style>")[1].replace("<b>0", "").replace("<b>2", "")
    assert "&lt;b&gt;&amp;" in html


def test_the_same_records_give_the_same_page():
    again = report.page(records.header(data="digits", seed=0), quick_demo.lines())
    assert again == _page()
