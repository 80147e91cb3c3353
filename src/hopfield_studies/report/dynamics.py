"""The page's sections on the continuous network's landscape, and on encodings, speed, overflow."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hopfield import plots
from hopfield.experiments.records import Record, find, select

from ..wording import amount, listed, number, percent, rate, small
from .html import Section, drawing, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Records = Sequence[Record]


def sweep(records: Records) -> Section:
    """Describe how mixtures become single patterns as β grows."""
    first = find(records, "beta_sweep")
    dot = select(records, "beta_sweep", similarity="dot")
    distance = select(records, "beta_sweep", similarity="euclidean")
    section = Section("beta", "What β does")
    section.say(
        f"One update from a half-hidden image, {first['stored']} stored. The entropy of the",
        "weights says how many patterns share in the answer, exp H: "
        f"{amount(dot[0], 'patterns_in_mixture')} at β = {number(dot[0]['beta'])} with the dot",
        f"product, {amount(dot[-1], 'patterns_in_mixture')} at β = {number(dot[-1]['beta'])}.",
        "Which pattern is the strongest does not depend on β: by dot product it is the right",
        f"one for {rate(dot[-1], 'right')} of the cues, by distance over the known half for",
        f"{rate(distance[-1], 'right')}.",
    )
    rows = [
        ("dot", [line["retrieved"][0] for line in dot]),
        ("distance", [line["retrieved"][0] for line in distance]),
    ]
    columns = [number(line["beta"]) for line in dot]
    grid = plots.pictures(rows, first["shape"], columns=columns, light=first["light"])
    series = [
        _curve(name, lines, "patterns_in_mixture")
        for name, lines in (("dot product", dot), ("distance", distance))
    ]
    mixture = plots.comparison(series, ("β", "patterns in the mixture, exp H"), log="x")
    section.show(
        drawing(grid, "The answer to one cue, β above each picture.",
                pictures=True, light=first["light"]),
        drawing(mixture, f"Patterns that share in the answer, over {first['samples']} subsets."),
    )  # fmt: skip
    return section


def _curve(name: str, lines: Records, field: str, scale: float = 1.0) -> Record:
    return plots.series(
        name, [line["beta"] for line in lines], [scale * line[field] for line in lines],
        [scale * line[f"{field}_sd"] for line in lines],
    )  # fmt: skip


def landscape(records: Records) -> Section:
    """Describe fixed points, numbers of steps, and energies along trajectories."""
    first = find(records, "stationary")
    starts = 2 * first["stored"] + 2 * first["starts"]
    section = Section("landscape", "Where it ends")
    section.say(
        f"{first['stored']} stored; {starts} starts (the stored images, their halves, random",
        "mixtures, random pixels) run until nothing changes. Ends that agree within half a grey",
        f"level are one stationary point.{_unsettled(records)}",
    )
    names = {"dot": "dot product", "euclidean": "distance"}
    groups = [(names[kind], select(records, "stationary", similarity=kind)) for kind in names]
    distinct = [_curve(name, lines, "distinct") for name, lines in groups]
    stored = [_curve(name, lines, "stored_share", 100) for name, lines in groups]
    unchanged = [_curve(name, lines, "stored_kept", 100) for name, lines in groups]
    last = groups[0][1][-1]
    section.show(
        drawing(plots.comparison(distinct, ("β", "stationary points"), log="x"),
                f"Different ends, over {first['samples']} subsets."),
        drawing(plots.comparison(stored, ("β", "of them stored patterns (%)"), log="x"),
                "Share of the ends that are stored patterns."),
        drawing(plots.comparison(unchanged, ("β", "stored patterns unchanged (%)"), log="x"),
                f"Share of the stored patterns that stay where they are: "
                f"{rate(last, 'stored_kept')} at β = {number(last['beta'])} by dot product."),
    )  # fmt: skip
    _steps(section, records)
    _energies(section, records)
    return section


def _unsettled(records: Records) -> str:
    worst = min(select(records, "stationary"), key=lambda line: line["settled"])
    if worst["settled"] == 1:
        return ""
    return (
        f" After {number(worst['patience'])} steps up to {percent(1 - worst['settled'])} of them "
        f"still moved (at β = {number(worst['beta'])}); they are counted where they were."
    )


def _steps(section: Section, records: Records) -> None:
    lines = select(records, "steps")
    names = {"dot": "dot product", "euclidean": "distance, known half"}
    rows = [
        (
            f"{number(line['n'])} stored",
            names[line["similarity"]],
            number(line["case_beta"]),
            rate(line, "one_is_enough"),
            amount(line, "steps"),
            number(line["most"]),
            small(255 * line["left_after_one"]),
        )
        for line in lines
    ]
    section.fold("One step?")
    section.add(table(
        ("", "compared by", "β", "done after one step", "steps, mean", "steps, most",
         "still to come, levels"),
        rows, cards=True,
        caption="From half-hidden images until nothing changes; the last column is the largest "
        "change of a pixel after the first step, in grey levels of 256, averaged over cues."
        f"{_by_construction(lines)}",
    ))  # fmt: skip


def _by_construction(lines: Records) -> str:
    distance = [line for line in lines if line["similarity"] == "euclidean"]
    if any(line["one_is_enough"] < 1 for line in distance):
        return ""
    return (
        " By distance one step is enough by construction: a large β gives one image all the "
        "weight, right or wrong, and its known half then fits best again."
    )


def _energies(section: Section, records: Records) -> None:
    lines = select(records, "energies")
    section.fold("Energies along trajectories")
    section.say(
        "The update is a step of E = ½‖z‖² − β⁻¹ log mean exp(β Xz) + ½M². The walkthrough states",
        "−log Σ exp(Xz) + z·z + β⁻¹ log n instead.",
        f"Of {lines[0]['stored']} cues, at β = {listed([number(e['beta']) for e in lines])}, the",
        "library's energy rises for",
        f"{listed([percent(e['library_rises']) for e in lines])}, the stated one for",
        f"{listed([percent(e['document_rises']) for e in lines])}.",
    )  # fmt: skip
    longest = max(lines, key=lambda line: line["length"])
    caption = f"β = {number(longest['beta'])}, {len(longest['library'])} cues."
    section.show(
        drawing(plots.energies(longest["library"], step="step"),
                f"The library's energy. {caption}"),
        drawing(plots.energies(longest["document"], step="step", colour=plots.RED),
                f"The energy the walkthrough states, along the same trajectories. {caption}"),
    )  # fmt: skip


def numerics(records: Records) -> Section:
    """Describe speed, overflow and encodings."""
    section = Section("numerics", "Speed, overflow, encodings")
    _speed_and_overflow(section, records)
    _encodings(section, records)
    return section


def _encodings(section: Section, records: Records) -> None:
    lines = select(records, "encodings")
    sizes = sorted({line["n"] for line in lines})
    names = {"binary": "classical", "continuous": "continuous"}
    cases = dict.fromkeys((line["network"], line["case"]) for line in lines)
    rows = [
        (
            f"{names[network]}, {case}",
            *(rate(find(records, "encodings", case=case, n=n), "right") for n in sizes),
        )
        for network, case in cases
    ]
    draws = listed([number(find(records, "encodings", n=n)["samples"]) for n in sizes])
    section.fold("Encodings")
    section.add(table(
        ("network and encoding", *(f"{number(n)} stored" for n in sizes)), rows,
        caption="Half-hidden images returned: exactly, up to sign, by the document's classical "
        "rule, as the strongest by the continuous network with the dot product, β = "
        f"{number(lines[0]['beta'])}. Over {draws} random subsets, those of the sections above.",
        cards=True,
    ))  # fmt: skip


def _speed_and_overflow(section: Section, records: Records) -> None:
    line = find(records, "speed")
    bars = [
        ("loop, as in\nthe document", line["loop_ms"]),
        ("closed form", line["closed_ms"]),
        ("continuous\nupdate", line["modern_ms"]),
    ]
    section.show(
        drawing(plots.durations(bars, "one cue (ms)"),
                f"One cue of {line['units']} units, {line['stored']} stored. The dense rule as "
                f"loops over units and patterns takes {number(line['loop_ms'])} ms, in closed "
                f"form {number(line['closed_ms'])} ms, and both decide "
                f"{percent(line['units_agreeing'])} of the units alike; the continuous update "
                f"{number(line['modern_ms'])} ms."),
        drawing(_overflow_chart(records), _overflow_caption(records)),
    )  # fmt: skip


def _overflow_chart(records: Records) -> "Axes":
    lines = select(records, "overflow")
    beta = [line["beta"] for line in lines]
    series = [
        plots.series(name, beta, [100 * line[field] for line in lines])
        for name, field in (
            ("dense, plain exp", "dense_plain"),
            ("continuous, plain exp", "modern_plain"),
            ("both, library", "dense_library"),
        )
    ]
    return plots.comparison(series, ("β", "cues spoilt (%)"), log="x")


def _overflow_caption(records: Records) -> str:
    lines = select(records, "overflow")
    last = lines[-1]
    ours = max(max(line["dense_library"], line["modern_library"]) for line in lines)
    sentence = listed([
        f"{percent(last['dense_plain'])} of the cues in the dense network",
        f"{percent(last['modern_plain'])} in the continuous one",
    ])  # fmt: skip
    return (
        f"Cues whose result is infinite or not a number in float32, {last['stored']} stored. "
        f"At β = {number(last['beta'])} the largest exponent is {number(last['largest_score'])}; "
        f"exponentials as they stand spoil {sentence}, the library's {percent(ours)} at any β."
    )
