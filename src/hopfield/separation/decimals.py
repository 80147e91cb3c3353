"""Exact signs of sums of exponentials, by decimal arithmetic."""

import decimal


def exact_sign_of_exponentials(levels: list[tuple[int, int]], beta: float) -> int:
    """Return the exact sign of Σ count·exp(β·level) over pairs (level, count).

    The pairs come with the highest level first, and no two levels are equal. The number of digits
    doubles until the sum exceeds its rounding error. This ends, since for β ≠ 0 the sum is not 0:
    e^β is transcendental for every rational β ≠ 0 (Lindemann).
    """
    if beta == 0:
        counts = sum(count for _, count in levels)
        return (counts > 0) - (counts < 0)
    highest, digits = levels[0][0], 50
    while True:
        with decimal.localcontext() as context:
            context.prec = digits
            terms = [
                count * (decimal.Decimal(beta) * (level - highest)).exp() for level, count in levels
            ]
            total = sum(terms, decimal.Decimal(0))
            size = sum((abs(term) for term in terms), decimal.Decimal(0))
            if abs(total) > size * len(levels) * decimal.Decimal(10) ** (3 - digits):
                return 1 if total > 0 else -1
        digits *= 2
