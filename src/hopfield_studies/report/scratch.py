"""The page's section on the from-scratch document, and the table of claims."""

from collections.abc import Sequence
from html import escape

from hopfield import plots
from hopfield.experiments.records import Record, find, select

from ..claims import FAILS, HOLDS, PARTLY, UNKNOWN
from ..wording import amount, number, percent, rate
from .html import Section, drawing, prose, table, table_of_rows

Records = Sequence[Record]

MARKS = {HOLDS: ("holds", "✓"), PARTLY: ("partly", "≈"), FAILS: ("fails", "✗"),
         UNKNOWN: ("unknown", "–")}  # fmt: skip
"""CSS class and sign of each verdict, so that colour alone carries no meaning."""


def section(records: Records) -> Section:
    """Describe the experiments on random patterns."""
    page = Section("scratch", "From scratch: random patterns")
    _descent(page, records)
    _sweeps(page, records)
    _oscillation(page, records)
    _modern(page, records)
    _methods(page, records)
    return page


def _descent(page: Section, records: Records) -> None:
    line = find(records, "descent")
    page.say(
        f"{line['stored']} random patterns of {line['units']} units, {percent(line['flipped'])} of",
        "the entries flipped, unit after unit until a sweep changes nothing. The energy falls",
        f"from {amount(line, 'start')} to {amount(line, 'end')} on average (the document: roughly",
        f"−11 to −48, no sizes given) and rises for {percent(line['rising'])} of the cues;",
        f"{rate(line, 'accuracy')} of the entries come back.",
    )


def _sweeps(page: Section, records: Records) -> None:
    line = find(records, "descent")
    loads = select(records, "load")
    picked = [loads[0], loads[len(loads) // 2], loads[-1]] if len(loads) > 2 else loads
    accuracy = plots.series(
        "classical", [each["n"] for each in loads], [100 * each["accuracy"] for each in loads],
        [100 * each["accuracy_sd"] for each in loads],
    )  # fmt: skip
    page.show(
        drawing(plots.energies(line["traces"]),
                f"The energies of {len(line['traces'])} cues; sweep 0 is the cue itself."),
        drawing(plots.comparison([_sweep_counts(each) for each in picked],
                                 ("sweeps, the confirming one included", "cues (%)")),
                f"Sweeps from {percent(loads[0]['flipped'])} flips: "
                f"{rate(loads[0], 'two_or_three')} of the cues need 2 or 3 with "
                f"{loads[0]['n']} stored, {rate(loads[-1], 'two_or_three')} with "
                f"{loads[-1]['n']}."),
        drawing(plots.comparison([accuracy], ("patterns stored n", "entries right (%)")),
                f"The benchmark the document announces: {loads[0]['units']} units, "
                f"{percent(loads[0]['flipped'])} flips, mean ± standard deviation over "
                f"{loads[0]['samples']} networks."),
    )  # fmt: skip


def _sweep_counts(line: Record) -> Record:
    """Return the cues that settle in 1, 2, 3 … sweeps, in percent of all."""
    last = max(k for k, count in enumerate(line["histogram"], 1) if count)
    shares = [100 * count / sum(line["histogram"]) for count in line["histogram"][:last]]
    return plots.series(f"{line['n']} stored", range(1, last + 1), shares)


def _oscillation(page: Section, records: Records) -> None:
    lines = select(records, "oscillation")
    page.fold("All units at once")
    first = find(records, "oscillation")
    page.say(
        f"{first['starts']} random starts, {first['stored']} stored in {first['units']} units.",
        *(f"{line['case'].capitalize()}: {percent(line['cycling'])} end in a cycle of two states."
          for line in lines),
    )  # fmt: skip
    shown = next((line for line in lines if "states" in line), None)
    if shown is None:
        page.say("No start of this run ends in a cycle.")
        return
    steps = len(shown["cycle_energies"]) - 1
    columns = [f"t = {t}" for t in range(steps - len(shown["states"]) + 1, steps + 1)]
    rows = [("state", shown["states"]), ("flipped", shown["flipped"])]
    grid = plots.pictures(rows, shown["shape"], columns=columns)
    page.show(
        drawing(grid, f"One of them, {shown['shape'][0]} × {shown['shape'][1]}: two states take "
                f"turns, {shown['flipping']} units flip each time.", pictures=True),
        drawing(plots.energies([shown["cycle_energies"]], step="step"),
                _cycle_caption(shown["cycle_energies"])),
    )  # fmt: skip


def _cycle_caption(energies: Sequence[float]) -> str:
    one, other = (number(round(energy, 6)) for energy in energies[-2:])
    end = f"stays at {one}" if one == other else f"alternates between {one} and {other}"
    return f"Its energy: {number(energies[0])} at the start; in the cycle it {end}."


def _modern(page: Section, records: Records) -> None:
    noisy = find(records, "gaussian")
    double = find(records, "attention", case="float64")
    single = find(records, "attention", case="float32")
    page.fold("The continuous network")
    page.say(
        f"{noisy['stored']} Gaussian patterns of {noisy['dim']} entries, noise of standard",
        f"deviation {number(noisy['noise'])}, β = {number(noisy['beta'])}: the cosine to the",
        f"stored pattern is {noisy['cosine']:.4f} on average over {noisy['trials']} networks and",
        f"{noisy['lowest_cosine']:.4f} at the lowest; that of the cue",
        f"{noisy['cosine_of_cue']:.4f}.",
    )
    page.say(
        f"One update with β = 1/√d, d = {double['dim']}, against torch's",
        f"scaled_dot_product_attention with {double['stored']} patterns as keys and values and",
        f"{double['queries']} queries: the largest difference is",
        f"{number(double['difference'])} in float64 (ε = {number(double['epsilon'])}) and",
        f"{number(single['difference'])} in float32 (ε = {number(single['epsilon'])}).",
    )


def _methods(page: Section, records: Records) -> None:
    lines = select(records, "summary")
    first = find(records, "summary")
    rows = [
        (f"{line['case']}()", _difference(line, "classical"), _difference(line, "modern"))
        for line in lines
    ]
    page.add(table(
        ("method", "classical", "modern"), rows,
        caption="The document's table of methods, each compared with its plain loops: largest "
        "difference (energies up to a constant; classical retrieval: share of "
        f"{first['cues']} cues that end elsewhere, orders being random).",
    ))  # fmt: skip


def _difference(line: Record, field: str) -> str:
    return "—" if line[field] is None else number(line[field])


def claims(rows: Sequence[Record]) -> str:
    """Return the table of claims with verdict and measurement; the reason unfolds."""
    return table_of_rows(("claim", "verdict", "measured, and why"), "".join(map(_claim, rows)))


def _claim(row: Record) -> str:
    kind, mark = MARKS[row["verdict"]]
    return (
        f'<tr><th scope="row">{prose(row["case"])}'
        f' <span class="source">{escape(row["source"])}</span></th>'
        f'<td class="verdict {kind}">{mark} {escape(row["verdict"])}</td>'
        f"<td><details><summary>{prose(_sentence(row['measured']))}</summary>"
        f"{prose(_sentence(row['reason']))}"
        f'<span class="criterion">{prose(row["criterion"])}</span></details></td></tr>'
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] if text[:1].isascii() else text
