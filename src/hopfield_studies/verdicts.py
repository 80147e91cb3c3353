"""Judges of the documents' claims: records in, a score with its measurement and reason out."""

from collections.abc import Sequence
from typing import NamedTuple

from hopfield.experiments.records import Record, find, select

from .wording import amount, listed, number, percent, rate


class Finding(NamedTuple):
    """Score, measurement and reason of one claim; no score where its effect did not occur."""

    score: float | None
    measured: str
    reason: str


def perfect_with(n: int, records: Sequence[Record]) -> Finding:
    """Judge the classical network by the document's rule, n stored."""
    theirs = find(records, "classical", case="document", n=n, patterns="images")
    ours = find(records, "classical", case="library", n=n, patterns="images")
    return Finding(
        theirs["exact_blind"],
        f"{rate(theirs, 'exact_blind')} returned over {theirs['samples']} draws",
        "with the hidden half unknown instead of ink, and unit by unit: "
        f"{rate(ours, 'exact_blind')}.",
    )


def correlation_not_capacity(records: Sequence[Record]) -> Finding:
    """Compare ten images with ten random patterns of the same size, by the same rule."""
    images = find(records, "classical", case="document", n=10, patterns="images")
    noise = find(records, "classical", case="document", n=10, patterns="random")
    ours = find(records, "classical", case="library", n=10, patterns="images")
    theirs = find(records, "classical", case="library", n=10, patterns="random")
    cure = find(records, "classical", case="pseudo_inverse", n=10, patterns="images")
    measured = (
        f"returned: images {rate(ours, 'exact_blind')}, random patterns "
        f"{rate(theirs, 'exact_blind')}; by the document's rule {rate(images, 'exact_blind')} and "
        f"{rate(noise, 'exact_blind')}"
    )
    lost = 1 - ours["exact_blind"]
    if not lost:
        if images["exact_blind"] == 1:
            return Finding(None, measured, "nothing fails, so there is nothing to explain.")
        return Finding(0.0, measured, "only the document's rule fails on these images.")
    past = "beyond" if images["load"] > 0.138 else "below"
    return Finding(
        max(0.0, 1 - (1 - theirs["exact_blind"]) / lost),
        measured,
        f"the load n/N = {number(images['load'])} is {past} Hebb's 0.138; "
        f"pseudo-inverse, which removes correlation: {rate(cure, 'exact_blind')} of the images.",
    )


def flips_by_symmetry(records: Sequence[Record]) -> Finding:
    """Compare negatives by the document's activation and by sign."""
    line = find(records, "flips")
    theirs, ours = line["document"], line["sign"]
    measured = (
        f"negatives: {rate(line, 'document')} with its activation, {rate(line, 'sign')} with sign"
    )
    if not theirs:
        return Finding(None, measured, "nothing is flipped, so there is nothing to explain.")
    return Finding(
        min(1.0, ours / theirs),
        measured,
        "its activation gives ink, −1, where the field is positive: the exact negative."
        if theirs > ours else "sign gives negatives no less often.",
    )  # fmt: skip


def binary_encoding(records: Sequence[Record]) -> Finding:
    """Judge what 0/1 loses of the images that ±1 returns, over 1, 2 and 3 stored."""
    of = {
        case: [find(records, "encodings", case=case, n=n) for n in (1, 2, 3)]
        for case in ("±1", "0/1", "0/1, mean subtracted")
    }
    recalled = {case: sum(line["right"] for line in lines) for case, lines in of.items()}
    texts = {case: listed([percent(line["right"]) for line in lines]) for case, lines in of.items()}
    measured = f"1, 2 and 3 stored: ±1 {texts['±1']}; 0/1 {texts['0/1']}"
    centred = f"with the mean subtracted from 0/1: {texts['0/1, mean subtracted']}."
    if not recalled["±1"]:
        return Finding(None, measured, f"±1 returns nothing that 0/1 could lose; {centred}")
    ratio = recalled["0/1"] / recalled["±1"]
    return Finding(
        max(0.0, 1 - ratio), measured, f"0/1 returns {_times(ratio)} what ±1 does; {centred}"
    )


def _times(ratio: float) -> str:
    return f"{percent(ratio)} of" if ratio <= 1 else f"{number(ratio)} times"


def dense_with(n: int, records: Sequence[Record]) -> Finding:
    """Judge the dense network, hidden half as ink, n stored."""
    ink = find(records, "dense", case="ink", n=n)
    unknown = find(records, "dense", case="unknown", n=n)
    return Finding(
        ink["exact"],
        f"{rate(ink, 'exact')} returned over {ink['samples']} draws",
        f"with the hidden half unknown instead of ink: {rate(unknown, 'exact')}.",
    )


def dense_mistakes(records: Sequence[Record]) -> Finding:
    """Judge how many mistakes with 100 stored remain when ink does not count as evidence."""
    ink = find(records, "dense", case="ink", n=100)
    unknown = find(records, "dense", case="unknown", n=100)
    mistakes, left = 1 - ink["exact"], 1 - unknown["exact"]
    if not mistakes:
        change = "there are no mistakes"
    elif left < mistakes:
        change = f"{percent(1 - left / mistakes)} of the mistakes are gone without the ink"
    else:
        change = "there are no fewer mistakes without the ink"
    return Finding(
        min(1.0, left / mistakes) if mistakes else 0.0,
        f"images lost: {percent(mistakes)} with ink, {percent(left)} with the half unknown",
        f"{change}; {percent(unknown['ambiguous'])} of the visible halves belong to several "
        "stored images.",
    )


def overflow(records: Sequence[Record]) -> Finding:
    """Judge the cues that plain float32 exponentials spoil."""
    lines = select(records, "overflow")
    last = lines[-1]
    first = next((line for line in lines if line["dense_plain"] or line["modern_plain"]), None)
    plain = max(last["dense_plain"], last["modern_plain"])
    library = max(max(line["dense_library"], line["modern_library"]) for line in lines)
    return Finding(
        plain - library,
        f"spoilt from β = {number(first['beta'])} on" if first else "none spoilt",
        f"at β = {number(last['beta'])} the largest exponent is {number(last['largest_score'])}; "
        "exp overflows float32 beyond 88.7. The library, which subtracts the largest: "
        f"{percent(library)} spoilt.",
    )


def speed(records: Sequence[Record]) -> Finding:
    """Compare the loop's time with that of vectorised updates."""
    line = find(records, "speed")
    return Finding(
        1 - line["modern_ms"] / line["loop_ms"],
        f"{number(line['loop_ms'])} ms a cue against {number(line['modern_ms'])} ms",
        f"the dense rule can be vectorised too: in closed form it takes "
        f"{number(line['closed_ms'])} ms and decides {percent(line['units_agreeing'])} of the "
        "units alike.",
    )


def continuous_encoding(records: Sequence[Record]) -> Finding:
    """Compare the continuous network in both ranges."""
    unit = find(records, "encodings", case="[0, 1]", n=10)
    signs = find(records, "encodings", case="[−1, 1], hidden 0", n=10)
    dark = find(records, "encodings", case="[−1, 1], hidden −1", n=10)
    best = max(signs["right"], dark["right"])
    than = "better than" if best > unit["right"] else "no better than"
    return Finding(
        min(unit["right"], 1 - best),
        f"right image strongest: [0, 1] {rate(unit, 'right')}; [−1, 1] {rate(signs, 'right')} "
        f"with the hidden half at 0, {rate(dark, 'right')} with it at −1",
        f"with the dot product [−1, 1] does {than} [0, 1] at its best.",
    )


def modern_with(n: int, records: Sequence[Record]) -> Finding:
    """Judge the continuous network with the document's β and dot product."""
    dot = find(records, "modern", case="document", n=n)
    sharp = find(records, "modern", case="sharp", n=n)
    return Finding(
        dot["right"],
        f"right image strongest: {rate(dot, 'right')}; "
        f"output within half a grey level: {rate(dot, 'exact')}",
        f"by distance over the known half, β = {number(sharp['case_beta'])}: "
        f"{rate(sharp, 'right')} strongest, {rate(sharp, 'exact')} within half a grey level.",
    )


def one_step(records: Sequence[Record]) -> Finding:
    """Judge one step at the worst of the measured sizes."""
    lines = select(records, "steps", similarity="dot")
    worst = min(lines, key=lambda line: line["one_is_enough"])
    parts = [f"{percent(line['one_is_enough'])} with {number(line['n'])}" for line in lines]
    return Finding(
        worst["one_is_enough"],
        f"one step is enough for {listed(parts)} stored",
        f"steps until it settles: {number(worst['steps'])} on average, at most "
        f"{number(worst['most'])}, with {number(worst['n'])} stored.",
    )


def global_minimum(records: Sequence[Record]) -> Finding:
    """Judge how many half-hidden images end at the lowest energy."""
    at_eight = find(records, "stationary", similarity="dot", beta=8.0)
    gentle = select(records, "stationary", similarity="dot")[0]
    ends = "a single end" if gentle["distinct"] == 1 else f"{number(gentle['distinct'])} ends"
    return Finding(
        at_eight["lowest_share"],
        f"β = 8: {rate(at_eight, 'lowest_share')} of the cues end at the lowest energy; "
        f"{number(at_eight['distinct'])} different ends on average",
        f"at β = {number(gentle['beta'])}, with {ends}, {rate(gentle, 'lowest_share')}. If all "
        "cues reached one lowest point, all would return the same picture.",
    )


def many_mixtures(records: Sequence[Record]) -> Finding:
    """Count different fixed points that are not stored, at β up to 1."""
    low = [line for line in select(records, "stationary", similarity="dot") if line["beta"] <= 1]
    parts = [f"{number(line['mixtures'])} at β = {number(line['beta'])}" for line in low]
    single_end = [line["beta"] for line in low if line["distinct"] == 1]
    single = (
        f"up to β = {number(max(single_end))} every start ends in one and the same point"
        if single_end
        else f"at β = {number(low[0]['beta'])} there are {number(low[0]['distinct'])} different "
        "ends in all"
    )
    return Finding(
        sum(line["mixtures"] > 1 for line in low) / len(low),
        f"ends that are no stored pattern, on average: {listed(parts)}",
        f"{single}.",
    )


def only_stored(records: Sequence[Record]) -> Finding:
    """Judge the share of fixed points that are stored patterns, at the largest β."""
    dot = select(records, "stationary", similarity="dot")
    last = dot[-1]
    at_eight = find(records, "stationary", similarity="dot", beta=8.0)
    distance = select(records, "stationary", similarity="euclidean")[-1]
    return Finding(
        last["stored_share"],
        f"β = {number(last['beta'])}: {rate(last, 'stored_share')} of the ends are stored "
        f"patterns; β = 8: {rate(at_eight, 'stored_share')}",
        f"stored patterns that stay where they are: {rate(last, 'stored_kept')} with the dot "
        f"product, {rate(distance, 'stored_kept')} by distance.",
    )


def stated_energy(records: Sequence[Record]) -> Finding:
    """Count cues for which the walkthrough's energy rises, and the library's."""
    lines = select(records, "energies")
    worst = max(lines, key=lambda line: line["document_rises"])
    ours = max(line["library_rises"] for line in lines)
    return Finding(
        1 - worst["document_rises"],
        f"it rises for {percent(worst['document_rises'])} of cues at β = {number(worst['beta'])}",
        f"its formula lacks β inside, 1/β outside and ½; with them it rises for {percent(ours)}.",
    )


def two_or_three(records: Sequence[Record]) -> Finding:
    """Compare sweeps at the lowest and the highest load."""
    lines = select(records, "load")
    light, heavy = lines[0], lines[-1]
    return Finding(
        light["two_or_three"],
        f"{rate(light, 'two_or_three')} with {light['n']} patterns of {light['units']} units",
        f"on average {amount(light, 'sweeps')} sweeps; with {heavy['n']} patterns "
        f"{amount(heavy, 'sweeps')}.",
    )


def oscillation(records: Sequence[Record]) -> Finding:
    """Compare the starts that end in a cycle, by schedule."""
    together = find(records, "oscillation", case="synchronous")
    kept = find(records, "oscillation", case="synchronous, diagonal kept")
    alone = find(records, "oscillation", case="asynchronous")
    return Finding(
        float(together["cycling"] > 0 and alone["cycling"] == 0),
        f"{percent(together['cycling'])} of starts cycle together, {percent(alone['cycling'])} "
        "one unit at a time",
        f"with the diagonal kept {percent(kept['cycling'])} do.",
    )


def never_rises(records: Sequence[Record]) -> Finding:
    """Judge the share of energy curves that never rise."""
    line = find(records, "descent")
    return Finding(
        1 - line["rising"],
        f"rises for {percent(line['rising'])} of cues over {line['samples']} networks",
        "a unit flips only against its field, and the coupling is symmetric.",
    )


def energy_drop(records: Sequence[Record]) -> Finding:
    """Compare first and last energies with the printed ones."""
    line = find(records, "descent")
    off = max(abs(line["start"] + 11) / 11, abs(line["end"] + 48) / 48)
    return Finding(
        max(0.0, 1 - off),
        f"{amount(line, 'start')} to {amount(line, 'end')}",
        f"with {line['stored']} patterns of {line['units']} units and "
        f"{percent(line['flipped'])} flipped; the document gives no sizes.",
    )


def attention(records: Sequence[Record]) -> Finding:
    """Judge the largest difference from torch's attention in float64."""
    double = find(records, "attention", case="float64")
    single = find(records, "attention", case="float32")
    bound = 8 * double["epsilon"] * double["largest"]
    return Finding(
        float(double["difference"] <= bound),
        f"largest difference {number(double['difference'])} (float64)",
        f"the bound, 8 ε of the largest entry, is {number(bound)}; "
        f"in float32 the difference is {number(single['difference'])}.",
    )
