"""One line for each experiment, for those who watch a run: its main figures in words."""

from collections.abc import Callable, Sequence

from hopfield.experiments.records import Record, select

from .wording import amount, listed, number, percent, rate, size


def headline(records: Sequence[Record]) -> str:
    """The main figures of the records of one experiment."""
    return _LINES[records[0]["experiment"]](records)


def _images(records: Sequence[Record]) -> str:
    line = records[0]
    return (
        f"{number(line['images'])} of {size(line)}, {percent(line['ink'])} ink, "
        f"mean overlap {number(line['overlap'])}"
    )


def _returned(field: str, **fields: str) -> Callable[[Sequence[Record]], str]:
    """Shares returned by the number stored, for each case that the fields leave."""

    def line(records: Sequence[Record]) -> str:
        chosen = select(records, records[0]["experiment"], **fields)
        parts = []
        for n in dict.fromkeys(each["n"] for each in chosen):
            cases = [f"{e['case']} {percent(e[field])}" for e in chosen if e["n"] == n]
            parts.append(f"{number(n)} stored: {', '.join(cases)}".replace("_", "-"))
        return "; ".join(parts)

    return line


def _modern(records: Sequence[Record]) -> str:
    parts = []
    for line in select(records, "modern", case="document"):
        ours = select(records, "modern", case="sharp", n=line["n"])[0]
        parts.append(
            f"{number(line['n'])} stored: dot product {percent(line['right'])}, "
            f"distance {percent(ours['right'])}"
        )
    return "; ".join(parts)


def _encodings(records: Sequence[Record]) -> str:
    shown = [line for line in records if line["n"] == (3 if line["network"] == "binary" else 10)]
    each = [f"{line['case']} {percent(line['right'])} ({line['n']} stored)" for line in shown]
    return "; ".join(each)


def _flips(records: Sequence[Record]) -> str:
    line = records[0]
    return f"{rate(line, 'document')} by the document's activation, {rate(line, 'sign')} by sign"


def _sweep(records: Sequence[Record]) -> str:
    dot = select(records, "beta_sweep", similarity="dot")
    return "patterns in the mixture " + _first_and_last(dot, "patterns_in_mixture")


def _first_and_last(lines: Sequence[Record], field: str) -> str:
    first, last = lines[0], lines[-1]
    return (
        f"{amount(first, field)} at β = {number(first['beta'])}, "
        f"{amount(last, field)} at β = {number(last['beta'])}"
    )


def _stationary(records: Sequence[Record]) -> str:
    return "different ends " + _first_and_last(
        select(records, "stationary", similarity="dot"), "distinct"
    )


def _steps(records: Sequence[Record]) -> str:
    dot = select(records, "steps", similarity="dot")
    each = [f"{percent(line['one_is_enough'])} with {number(line['n'])}" for line in dot]
    return f"one step is enough for {listed(each)} stored (dot product)"


def _energies(records: Sequence[Record]) -> str:
    ours = max(line["library_rises"] for line in records)
    theirs = max(line["document_rises"] for line in records)
    return f"the library's rises for {percent(ours)} of cues, the stated one for {percent(theirs)}"


def _speed(records: Sequence[Record]) -> str:
    line = records[0]
    return (
        f"loop {number(line['loop_ms'])} ms a cue, closed form {number(line['closed_ms'])} ms, "
        f"continuous {number(line['modern_ms'])} ms"
    )


def _overflow(records: Sequence[Record]) -> str:
    plain = max(max(line["dense_plain"], line["modern_plain"]) for line in records)
    ours = max(max(line["dense_library"], line["modern_library"]) for line in records)
    return f"plain exp spoils up to {percent(plain)} of cues, the library {percent(ours)}"


def _descent(records: Sequence[Record]) -> str:
    return f"{amount(records[0], 'start')} to {amount(records[0], 'end')}"


def _load(records: Sequence[Record]) -> str:
    first, last = records[0], records[-1]
    return (
        f"{amount(first, 'sweeps')} sweeps with {first['n']} stored, "
        f"{amount(last, 'sweeps')} with {last['n']}"
    )


def _oscillation(records: Sequence[Record]) -> str:
    return "; ".join(f"{line['case']}: {percent(line['cycling'])} cycle" for line in records)


def _gaussian(records: Sequence[Record]) -> str:
    return f"cosine {records[0]['cosine']:.4f}, that of the cue {records[0]['cosine_of_cue']:.4f}"


def _attention(records: Sequence[Record]) -> str:
    each = [f"{number(line['difference'])} in {line['case']}" for line in records]
    return f"largest difference {listed(each)}"


def _summary(records: Sequence[Record]) -> str:
    values = [line[kind] for line in records for kind in ("classical", "modern")]
    return f"largest difference from plain loops {number(max(v for v in values if v is not None))}"


_LINES: dict[str, Callable[[Sequence[Record]], str]] = {
    "images": _images,
    "classical": _returned("exact_blind", patterns="images"),
    "flips": _flips,
    "dense": _returned("exact"),
    "modern": _modern,
    "beta_sweep": _sweep,
    "stationary": _stationary,
    "steps": _steps,
    "energies": _energies,
    "encodings": _encodings,
    "speed": _speed,
    "overflow": _overflow,
    "descent": _descent,
    "load": _load,
    "oscillation": _oscillation,
    "gaussian": _gaussian,
    "attention": _attention,
    "summary": _summary,
}
