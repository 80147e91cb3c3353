"""Other priors for rows of a table: two columns of the fragments that hold them are written."""

from collections.abc import Sequence
from typing import Any

from .columns import arrow
from .layout import BATCH_ROWS
from .table import Table, lance, parts_of

COLUMNS = ("id", "prior", "crc")


def set_priors(table: Table, places: Sequence[int], priors: Sequence[float]) -> Table:
    """Give the rows at these places, which ascend, other priors; all rows or none."""

    def change(dataset: Any) -> Any:
        updated, fields = [], []
        for fragment, part in parts_of(dataset, places):
            batches = [
                _with_priors(table, places[some], priors[some])
                for at in range(part.start, part.stop, BATCH_ROWS)
                for some in [slice(at, min(at + BATCH_ROWS, part.stop))]
            ]
            metadata, fields = fragment.update_columns(
                arrow().Table.from_batches(batches), left_on="id", right_on="id"
            )
            updated.append(metadata)
        return lance().LanceOperation.Update([], updated, [], fields, update_mode="rewrite_columns")

    return table.change(change)


def _with_priors(table: Table, places: Sequence[int], priors: Sequence[float]) -> Any:
    # Ids, new priors and the checksums that follow, as a record batch.
    layout = table.layout
    taken = table.take_columns(places, layout.schema.names)
    content = dict(zip(taken.column_names, taken.columns, strict=True))
    content = {name: column.combine_chunks() for name, column in content.items()}
    content["prior"] = arrow().array(
        [None if prior == 1 else prior for prior in priors], arrow().float64()
    )
    return layout.with_sums(content, len(places)).select(list(COLUMNS))
