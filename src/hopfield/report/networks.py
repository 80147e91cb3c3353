"""The page's sections on the walkthrough's three networks."""

from collections.abc import Sequence

from .. import plots
from ..experiments.records import Record, find, select
from ..experiments.wording import number, percent, rate, small
from .html import Section, drawing, table

Records = Sequence[Record]

WAYS = {
    "document": "the document's rule",
    "library": "the library's rule",
    "pseudo_inverse": "pseudo-inverse rule",
}
SHORT = {"document": "document", "library": "library", "pseudo_inverse": "pseudo-inverse"}


def images(records: Records) -> Section:
    """The data set, and the first images of it in every form the networks get."""
    line = find(records, "images")
    size = " × ".join(str(side) for side in line["shape"])
    section = Section("images", "The images")
    section.say(
        f"{line['data']}: {number(line['images'])} images of {size} = {line['units']} pixels.",
        "The binary networks see every pixel above 0 as ink (+1) and the rest as background (−1);",
        f"{percent(line['ink'])} of all pixels are ink. Two images overlap by",
        f"{number(line['overlap'])} on average (|x·y|/N), two random patterns of that size by",
        f"{number(line['overlap_random'])}.",
    )
    section.say(
        "Every network is asked for an image of which it sees the upper half.",
        f"Of {number(line['distinct'])} different binary images, {number(line['distinct_halves'])}",
        "differ in their upper half: where two stored images agree there, no network can tell",
        "them apart.",
    )
    grey = plots.pictures(
        [("grey", line["grey"]), ("cue", line["grey_cue"])], line["shape"], known=line["known"]
    )
    binary = plots.pictures(
        [("binary", line["binary"]), ("cue", line["binary_cue"])],
        line["shape"],
        known=line["known"],
    )
    count = len(line["grey"])
    section.show(
        drawing(grey, f"{count} images and what is left to see of them; tinted: unknown.",
                pictures=True),
        drawing(binary, f"The same {count} as ±1.", pictures=True),
    )  # fmt: skip
    return section


def classical(records: Records) -> Section:
    """Hebb's rule in two ways, the pseudo-inverse, and random patterns."""
    lines = select(records, "classical")
    most = max(line["n"] for line in lines)
    theirs, ours, inked, noise = (
        find(records, "classical", case=way, n=most, patterns=patterns)
        for patterns in ("images", "random")
        for way in ("document", "library")
    )
    section = Section("classical", "The classical network")
    section.say(
        "Hebb's coupling W = XᵀX/N. The document keeps its diagonal, makes one step of all units",
        "at once, and fills the hidden half with ink, which then counts as evidence. The library",
        "drops the diagonal, updates unit after unit until a sweep changes nothing, and leaves",
        "the hidden half unknown. An image counts as returned where every pixel is right, or",
        "every pixel is wrong (a network without thresholds cannot tell an image from its",
        "negative).",
    )
    fewest = min(line["samples"] for line in lines)
    section.beside(
        drawing(plots.rates(_bars(lines), "patterns returned, up to sign"),
                "Patterns returned by the number stored; mean and standard deviation over at "
                f"least {fewest} random subsets."),
        f"With {most} images stored the load n/N is {number(theirs['load'])}; Hebb's rule carries",
        "up to 0.138 random patterns a unit. The document's rule returns",
        f"{rate(theirs, 'exact_blind')} of the images and {rate(theirs, 'accuracy')} of their",
        f"pixels; the library's {rate(ours, 'exact_blind')} and {rate(ours, 'accuracy')}.",
        f"Of as many random patterns the library's rule returns {rate(noise, 'exact_blind')},",
        f"the document's {rate(inked, 'exact_blind')}.",
    )  # fmt: skip
    section.show(
        *(_grid(line, f"{line['n']} stored, {WAYS[line['case']]}", "exact_blind")
          for line in lines if line["patterns"] == "images" and line["n"] in (3, most)),
        _grid(noise, f"{most} random patterns stored, {WAYS['library']}", "exact_blind"),
    )  # fmt: skip
    return section


def _bars(lines: Records) -> list[tuple[str, float, float]]:
    """Name, mean and deviation of every classical case."""
    kinds = {"images": "", "random": " random"}
    return [
        (
            f"{line['n']}{kinds[line['patterns']]}, {SHORT[line['case']]}",
            line["exact_blind"],
            line["exact_blind_sd"],
        )
        for line in lines
    ]


def _grid(line: Record, title: str, field: str) -> str:
    """Stored, cue and retrieved images of one record."""
    rows = [(name, line[name]) for name in ("original", "cue", "retrieved")]
    rows[0] = ("stored", line["original"])
    ax = plots.pictures(rows, line["shape"], known=line["known"])
    shown = f" {len(line['original'])} are shown." if line["n"] > len(line["original"]) else ""
    return drawing(ax, f"{title}: {rate(line, field)} returned.{shown}", pictures=True)


def dense(records: Records) -> Section:
    """The dense network by both maskings."""
    first = find(records, "dense")
    lines = select(records, "dense")
    section = Section("dense", "The dense network")
    names = {"ink": "hidden as ink", "unknown": "hidden unknown"}
    bars = [
        (f"{line['n']} stored, {names[line['case']]}", line["exact"], line["exact_sd"])
        for line in lines
    ]
    section.beside(
        drawing(plots.rates(bars, "images returned"),
                f"Images returned exactly, over {first['samples']} random subsets."),
        "Each pattern adds exp(β x·z) to the energy, and a unit takes the sign of lower energy",
        f"(one sweep of all units from the cue). β = {number(first['beta'])} is the document's",
        f"division by 10 at 784 pixels, scaled to {_units(records)}. Its hidden half is ink and",
        "counts as evidence; beside it the same with the hidden half unknown, adding nothing to",
        "a score.",
        *(f"With {line['n']} stored, {percent(line['ambiguous'])} of the visible halves belong to"
          " more than one stored image." for line in lines if line["case"] == "unknown"),
    )  # fmt: skip
    section.show(
        *(_grid(line, f"{line['n']} stored, {names[line['case']]}", "exact") for line in lines)
    )
    return section


def _units(records: Records) -> str:
    """The number of pixels, in words."""
    return f"{find(records, 'images')['units']} pixels"


def modern(records: Records) -> Section:
    """The continuous network by similarity and β."""
    lines = select(records, "modern")
    first = find(records, "modern")
    section = Section("continuous", "The continuous network")
    section.say(
        "Grey images, one update z ← Xᵀ softmax(β Xz). The document compares by dot product",
        f"with β = {number(first['case_beta'])}. The library can compare by distance over the",
        "known half, s = −½‖x − z‖², and then hold what is known. Two things are counted: whether",
        "the right image has the largest weight, and whether every pixel comes back within half",
        "a grey level of 256.",
    )
    names = {"dot": "dot product", "euclidean": "distance, known half"}
    rows = [
        (
            f"{number(line['n'])} stored",
            names[line["similarity"]],
            number(line["case_beta"]),
            rate(line, "right"),
            rate(line, "exact"),
            small(255 * line["error"]),
        )
        for line in lines
    ]
    head = ("", "compared by", "β", "right image strongest", "pixels right", "mean error, levels")
    caption = f"Mean ± standard deviation over {first['samples']} random subsets."
    section.add(table(head, rows, caption=caption, cards=True))
    shown = [line for line in lines if line["case"] in ("document", "sharp")]
    section.show(*(_continuous_grid(line, names[line["similarity"]]) for line in shown))
    return section


def _continuous_grid(line: Record, name: str) -> str:
    """Pictures of one size and similarity."""
    title = f"{number(line['n'])} stored, {name}, β = {number(line['case_beta'])}"
    return _grid(line, title, "exact")


def summary(records: Records) -> str:
    """The table at the top: images returned by network, size and way."""
    rows = []
    for line in select(records, "classical", case="document", patterns="images"):
        ours = find(records, "classical", case="library", n=line["n"], patterns="images")
        rows.append(("classical", line, rate(line, "exact_blind"), rate(ours, "exact_blind")))
    for line in select(records, "dense", case="ink"):
        ours = find(records, "dense", case="unknown", n=line["n"])
        rows.append(("dense", line, rate(line, "exact"), rate(ours, "exact")))
    for line in select(records, "modern", case="document"):
        ours = find(records, "modern", case="sharp", n=line["n"])
        rows.append(("continuous", line, rate(line, "right"), rate(ours, "right")))
    cells = [(name, number(line["n"]), theirs, ours) for name, line, theirs, ours in rows]
    return table(
        ("network", "stored", "as documented", "this library"),
        cells,
        caption="Half-hidden images that come back: exactly in the binary networks, as the "
        "strongest image in the continuous one. Mean ± standard deviation over random subsets.",
    )
