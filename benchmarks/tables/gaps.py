"""Hide entries of a table: at random, in blocks, or dependent on another column."""

import numpy as np

KINDS = ("random", "blocks", "dependent")
"""Ways of hiding entries."""

BLOCK_ROWS, BLOCK_COLUMNS = 10, 3
"""A block is a tenth of the rows of a third of the columns."""

MOST_LIKELY = 0.95
"""Largest probability of a gap that depends on another column."""

MIN_KNOWN = 5
"""Entries of each column that are never hidden."""


def hide(values: np.ndarray, kind: str, share: float, seed: int) -> np.ndarray:
    """Return the mask of the hidden entries.

    random: each entry with probability `share`.
    blocks: in consecutive rows of some columns at once, as by a sensor that fails.
    dependent: in half of the columns, the more likely the larger the value of a column of the other
        half; `share` is that of these columns.
    """
    draws = np.random.default_rng([seed, KINDS.index(kind), round(100 * share)])
    rows, columns = values.shape
    if kind == "random":
        mask = draws.random(values.shape) < share
    elif kind == "blocks":
        mask = np.zeros(values.shape, dtype=bool)
        high, wide = -(-rows // BLOCK_ROWS), -(-columns // BLOCK_COLUMNS)
        while mask.mean() < share:
            start = draws.integers(rows - high + 1)
            mask[start : start + high, draws.choice(columns, wide, replace=False)] = True
    else:
        order = draws.permutation(columns)
        hidden, drivers = order[: columns // 2], order[columns // 2 :]
        mask = np.zeros(values.shape, dtype=bool)
        for place, column in enumerate(hidden):
            driver = values[:, drivers[place % len(drivers)]]
            # Ties are ordered at random.
            rank = np.lexsort(np.stack([draws.random(rows), driver])).argsort() / rows
            mask[:, column] = draws.random(rows) < np.minimum(2 * share * rank, MOST_LIKELY)
    for column in range(columns):
        mask[draws.choice(rows, MIN_KNOWN, replace=False), column] = False
    return mask
