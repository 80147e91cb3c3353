"""Ranking of patterns by a scan of their copy in 8 bits, with exact scores of the candidates."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from ..similarity import Similarity, masked_state
from ..stores import Store
from .pairwise import block_scoring, pair_scores
from .query_batch import QueryBatch
from .ranking import Scoring
from .scan_candidates import EncodedStates, can_scan, scan_bias, scan_copy

SCANNED_SCORES = 2**20
"""Scores computed at a time, 4 MiB in float32."""


@dataclass(frozen=True)
class ScannedRows:
    """Some rows of the copy."""

    start: int
    stop: int


def scan_scoring(
    store: Store, state: Tensor, known: Tensor | None, similarity: Similarity
) -> tuple[Scoring, list[ScannedRows]] | None:
    """Return how a scan scores rows, and these rows; None where reading them all is faster."""
    is_euclidean = not similarity.half_squared_norm
    masked = masked_state(state, known)
    batch = QueryBatch(masked, known if is_euclidean else None, 1.0, is_euclidean)
    if not can_scan(store, batch):
        return None
    copy, count = scan_copy(store), len(store)
    bias = scan_bias(store, batch)
    states = EncodedStates.of(copy, batch, bias[:count])
    # What the codes leave out: the level of code 0 times the sum of the state, for every row.
    offset = copy.levels.offset * masked.double().sum(-1)
    shift = offset + masked.double().square().sum(-1) / -2 if is_euclidean else offset

    def scores(block: ScannedRows, state: Tensor, known: Tensor | None) -> Tensor:
        rows = slice(block.start, block.stop)
        return states.scores(rows, bias[rows])

    # The rounding of blocks bounds that of pairs.
    blocks, precise = block_scoring(store, state, known, similarity)
    refined = pair_scores(store, state, known, similarity, precise.dtype), blocks.error
    scoring = Scoring(scores, states.error, blocks.of_pairs, states.unit, shift, refined)
    return scoring, list(_rows(count, len(state)))


def _rows(count: int, batch: int) -> Iterator[ScannedRows]:
    size = max(1024, SCANNED_SCORES // max(1, batch))
    for start in range(0, count, size):
        yield ScannedRows(start, min(start + size, count))
