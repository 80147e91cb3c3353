"""Numbers in words, as captions and verdicts write them."""

import re

from hopfield.experiments import Record

NARROW = "\u00a0"
"""A space without a line break, between a number and its unit."""


def keep_equations_whole(text: str) -> str:
    """Return the text with spaces that keep equations such as β = 8 on one line."""
    return re.sub(r"(?<=\S) ([=<>≤≥±]) (?=\S)", rf"{NARROW}\1{NARROW}", text)


def percent(value: float) -> str:
    """Return a share in percent, never rounded up to 100 or down to 0."""
    return f"{_share(value).removesuffix('.0')}{NARROW}%"


def rate(line: Record, field: str) -> str:
    """Return a share of a record with its standard deviation, in percent."""
    deviation = 100 * line.get(f"{field}_sd", 0.0)
    spread = f" ± {deviation:.1f}" if deviation >= 0.05 else ""
    return f"{_share(line[field])}{spread}{NARROW}%".replace(" ± ", f"{NARROW}±{NARROW}")


def amount(line: Record, field: str) -> str:
    """Return a field of a record with its standard deviation, both to the same decimals."""
    value, deviation = line[field], line.get(f"{field}_sd", 0.0)
    if not deviation:
        return number(value)
    decimals = max(0, 1 - _exponent(deviation))
    both = f"{value:.{decimals}f}{NARROW}±{NARROW}{deviation:.{decimals}f}"
    return both.replace("-", "−")


def number(value: float) -> str:
    """Return a number to three significant digits; whole numbers are not rounded."""
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}".replace(",", NARROW).replace("-", "−")
    if 1e-3 <= abs(value) < 1e6:
        digits = f"{value:.{max(0, 2 - _exponent(value))}f}"
        return (digits.rstrip("0").rstrip(".") if "." in digits else digits).replace("-", "−")
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}·10{_raised(int(exponent))}".replace("-", "−")


def small(value: float) -> str:
    """Return a difference, or "below 0.001"."""
    return number(value) if value == 0 or value >= 1e-3 else f"below{NARROW}0.001"


def size(line: Record) -> str:
    """Return the number of entries of an image: pixels, or values where a pixel has several."""
    return f"{number(line['units'])} {'pixels' if len(line['shape']) == 2 else 'values'}"


def listed(parts: list[str]) -> str:
    """Return parts as "a, b and c"."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _share(value: float) -> str:
    if 0 < value < 0.001:
        return "under 0.1"
    if 0.999 < value < 1:
        return "over 99.9"
    return f"{100 * value:.{0 if value in (0.0, 1.0) else 1}f}"


def _exponent(value: float) -> int:
    return int(f"{value:e}".split("e")[1])


def _raised(exponent: int) -> str:
    return str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
