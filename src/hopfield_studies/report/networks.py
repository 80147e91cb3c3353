"""The page's sections on the walkthrough's three networks."""

from collections.abc import Sequence

from hopfield import plots
from hopfield.experiments.records import Record, find, select

from ..wording import number, percent, rate, size, small
from .html import Section, drawing, table

Records = Sequence[Record]

RULE_NAMES = {
    "document": "the document's rule",
    "library": "the library's rule",
    "pseudo_inverse": "pseudo-inverse rule",
}
SIGN = "returned, up to sign"
SHORT_NAMES = {"document": "document", "library": "library", "pseudo_inverse": "pseudo-inverse"}


def images(records: Records) -> Section:
    """Describe the data set, and show its first images in every form."""
    line = find(records, "images")
    sides = " × ".join(str(side) for side in line["shape"])
    section = Section("images", "The images")
    section.say(
        f"{line['data']}: {number(line['images'])} images of {sides} = {size(line)}.",
        _ink(line),
        f"Two images overlap by {number(line['overlap'])} on average (|x·y|/N), two random",
        f"patterns of that size by {number(line['overlap_random'])}.",
    )
    section.say(
        "Every network has to complete an image from its upper half. The",
        f"{number(line['distinct'])} different binary images have",
        f"{number(line['distinct_halves'])} different upper halves, and",
        f"{number(line['unique_halves'])} of the images share theirs with no other. Where two",
        "stored images agree in the upper half, no network can tell them apart.",
    )
    count = len(line["grey"])
    captions = {
        "grey": f"{count} images and their visible halves; tinted: unknown.",
        "binary": f"The same {count} as ±1; {'white' if line['light'] else 'ink'} is +1.",
    }
    section.show(*(_images(line, kind, caption) for kind, caption in captions.items()))
    return section


def _images(line: Record, kind: str, caption: str) -> str:
    rows = [(kind, line[kind]), ("cue", line[f"{kind}_cue"])]
    ax = plots.pictures(rows, line["shape"], known=line["known"], light=line["light"])
    return drawing(ax, caption, pictures=True, light=line["light"])


def _ink(line: Record) -> str:
    if line["threshold"] == 0:
        split = "every pixel above 0 as ink (+1) and the rest as background (−1)"
        return f"The binary networks see {split}; {percent(line['ink'])} of all pixels are ink."
    return (
        "Few pixels are 0, so there is no background to tell ink from: the binary networks see "
        f"every pixel above the mean, {number(line['threshold'])}, as +1, called ink below, and "
        f"the rest as −1; {percent(line['ink'])} are +1."
    )


def classical(records: Records) -> Section:
    """Describe Hebb's rule in two variants, the pseudo-inverse, and random patterns."""
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
    fewest, many = (choose(line["samples"] for line in lines) for choose in (min, max))
    draws = number(fewest) if fewest == many else f"{number(fewest)} to {number(many)}"
    section.beside(
        drawing(plots.rates(_bars(lines), "patterns returned, up to sign"),
                "Patterns returned by the number stored; mean and standard deviation over "
                f"{draws} random subsets."),
        f"With {most} images stored the load n/N is {number(theirs['load'])}; Hebb's rule carries",
        "up to 0.138 random patterns a unit. The document's rule returns",
        f"{rate(theirs, 'exact_blind')} of the images and {rate(theirs, 'accuracy')} of their",
        f"pixels; the library's {rate(ours, 'exact_blind')} and {rate(ours, 'accuracy')}.",
        f"Of as many random patterns the library's rule returns {rate(noise, 'exact_blind')},",
        f"the document's {rate(inked, 'exact_blind')}.",
    )  # fmt: skip
    section.show(
        *(_grid(line, f"{line['n']} stored, {RULE_NAMES[line['case']]}", "exact_blind", SIGN)
          for line in lines if line["patterns"] == "images" and line["n"] in (3, most)),
        _grid(noise, f"{most} random patterns stored, {RULE_NAMES['library']}",
              "exact_blind", SIGN),
    )  # fmt: skip
    return section


def _bars(lines: Records) -> list[tuple[str, float, float]]:
    kinds = {"images": "", "random": " random"}
    names = [f"{x['n']}{kinds[x['patterns']]}, {SHORT_NAMES[x['case']]}" for x in lines]
    return [(name, line["exact_blind"], line["exact_blind_sd"])
            for name, line in zip(names, lines, strict=True)]  # fmt: skip


def _grid(line: Record, title: str, field: str, counted: str) -> str:
    rows = [(name, line[name]) for name in ("original", "cue", "retrieved")]
    rows[0] = ("stored", line["original"])
    ax = plots.pictures(rows, line["shape"], known=line["known"], light=line["light"])
    shown = f" {len(line['original'])} are shown." if line["n"] > len(line["original"]) else ""
    caption = f"{title}: {rate(line, field)} {counted}.{shown}"
    return drawing(ax, caption, pictures=True, light=line["light"])


def dense(records: Records) -> Section:
    """Describe the dense network with both kinds of mask."""
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
        "The energy is E = −β⁻¹ log mean exp(β Xz): the better a stored pattern fits the state,",
        "the lower. Each unit takes the sign of lower energy, in one sweep of all units from the",
        f"cue. β = {number(first['beta'])} is the document's division by 10 at 784 pixels, scaled",
        f"to {size(find(records, 'images'))}. Its hidden half is ink and counts as evidence;",
        "the library's variant leaves the hidden half unknown, so that it adds nothing to a score.",
        *(f"With {line['n']} stored, {percent(line['ambiguous'])} of the visible halves belong to"
          " more than one stored image." for line in lines if line["case"] == "unknown"),
    )  # fmt: skip
    section.show(
        *(
            _grid(line, f"{line['n']} stored, {names[line['case']]}", "exact", "returned")
            for line in lines
        )
    )
    return section


def modern(records: Records) -> Section:
    """Describe the continuous network by similarity and β."""
    lines = select(records, "modern")
    first = find(records, "modern")
    section = Section("continuous", "The continuous network")
    section.say(
        "Grey images, one update z ← Xᵀ softmax(β Xz). The document compares by dot product",
        f"with β = {number(first['case_beta'])}. The library can compare by distance over the",
        "known half, s = −½‖x − z‖², and keep the known pixels. Two things are counted: whether",
        "the right image has the largest weight, and whether all pixels come back right, that is",
        "within half a grey level of 256.",
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
    head = ("", "compared by", "β", "right image strongest", "all pixels right",
            "mean error, levels")  # fmt: skip
    caption = f"Mean ± standard deviation over {first['samples']} random subsets."
    section.add(table(head, rows, caption=caption, cards=True))
    shown = [line for line in lines if line["case"] in ("document", "sharp")]
    section.show(*(_continuous_grid(line, names[line["similarity"]]) for line in shown))
    return section


def _continuous_grid(line: Record, name: str) -> str:
    title = f"{number(line['n'])} stored, {name}, β = {number(line['case_beta'])}"
    return _grid(line, title, "exact", "with all pixels right")


def summary(records: Records) -> str:
    """Return the table at the top: recall by network, size and rule."""
    rows = []
    for line in select(records, "classical", case="document", patterns="images"):
        ours = find(records, "classical", case="library", n=line["n"], patterns="images")
        rows.append(
            ("classical, up to sign", line, rate(line, "exact_blind"), rate(ours, "exact_blind"))
        )
    for line in select(records, "classical", case="pseudo_inverse"):
        rows.append(("classical, pseudo-inverse", line, "—", rate(line, "exact_blind")))
    for line in select(records, "dense", case="ink"):
        ours = find(records, "dense", case="unknown", n=line["n"])
        rows.append(("dense, exactly", line, rate(line, "exact"), rate(ours, "exact")))
    for line in select(records, "modern", case="document"):
        ours = find(records, "modern", case="sharp", n=line["n"])
        rows.append(("continuous, strongest", line, rate(line, "right"), rate(ours, "right")))
    cells = [(name, number(line["n"]), theirs, ours) for name, line, theirs, ours in rows]
    return table(
        ("network", "stored", "as documented", "this library"),
        cells,
        caption="Half-hidden images that come back: with every pixel right in the binary networks "
        "(or every pixel wrong, up to sign), as the strongest image in the continuous one. Mean ± "
        "standard deviation over random subsets.",
    )
