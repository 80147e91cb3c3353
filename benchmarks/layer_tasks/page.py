"""Make docs/learned/tasks.md and docs/learned/starts.md from the records."""

import statistics
from itertools import product
from pathlib import Path

from hopfield.experiments import records

from . import starts
from .methods import BATCH, METHODS, RATE, UPDATES
from .tasks import NOISE, PAIRS, SYMBOLS, TASKS

ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "benchmarks" / "results" / "layer-tasks.jsonl"
PAGE = ROOT / "docs" / "learned" / "tasks.md"

START_RECORDS = ROOT / "benchmarks" / "results" / "layer-starts.jsonl"
STARTS_PAGE = ROOT / "docs" / "learned" / "starts.md"

TEXT = """# Layers against other methods

`python -m benchmarks.layer_tasks` trains layers and other methods on the same seven tasks; it wrote this page from [its records](../../benchmarks/results/layer-tasks.jsonl). The numbers are test accuracies in percent, means over {seeds} splits with their standard deviations; the best mean of a row is bold.

{table}

- **Which to use.** {verdict}
- **Tasks.** The tables iris, wine and breast cancer and the digits of scikit-learn, 70 % to train on. Bags of digits of which half hold a 9; of 10 images with one or two nines, or of 5 to 30 images with one; 500 bags to train on, 500 of other images to test. Recall: {pairs} pairs of a key and a value, one-hot of {symbols}, and a key with Gaussian noise of {noise}; the label is its value; 3000 to train on.
- **Logistic regression** and **support vectors** (Gaussian kernel) are those of scikit-learn, on standardised columns; C and γ are chosen by 3-fold validation for each task. A bag is given to them as the mean and the maximum of its images, a recall as one long row.
- **Gated attention** is that of Ilse, Tomczak & Welling (2018), after the same encoder as for the pooling; in recall the key that is asked for is part of every row.
- **Layers.** Lookup: `HopfieldLookup` with 50 drawn memories and linear projections, or, "rows given", from 50 rows of the training data and their labels, without projections. Dense memory: degree 3, 50 memories. Pooling: heads of two features. Association: the key reads the pairs, with one softmax or three. β is learned in all.
- All networks: {updates} updates by AdamW of {batch} rows, a first rate of {rate:g}, weight decay of 0.01 for matrices only. These were not tuned for a task or a layer. Only the spread of a lookup's memories was: its default was [chosen](starts.md) on wine, breast cancer and digits, by test rows of three of these splits.

{note}"""  # noqa: E501

STARTS_TEXT = """# Starts of training, measured

`python -m benchmarks.layer_tasks starts` trains layers from different initial weights; it wrote this page from [its records](../../benchmarks/results/layer-starts.jsonl). [The start of training](../layers.md#the-start-of-training) says what follows from it.

## Memories of a lookup

Six memories learn six digits in 800 updates by Adam, and are then read back. A cell begins with how many of the six are read, of 6; if one memory is read for all digits, that is 1. After the comma stands the mean test accuracy on wine, breast cancer and digits with 50 memories, after {updates} updates. Both are means over {seeds} seeds. σ is the initial standard deviation of the memories; d^−¼ is that of `HopfieldLookup`; 1/√d gives them norms near 1.

{lookups}

A score β k·q deviates by β times the norms of state and memory. With σ = 1 it is large unless β is small: one memory wins all states, and the others get no gradient. With σ = 0.02 all scores are nearly equal, and training begins slowly where β is small, too. Between them no start is best in every row, and three seeds leave differences of one digit and one per cent to chance; d^−¼ is close to the best where β = 1/√d, the default, and far from the worst elsewhere. With linear projections and a larger β every start loses memories, because biases make the projected states nearly parallel. Then begin with β = 1/√d, or with rows of the data as memories.

## β of several steps

Recall of the value that belongs to one of 8 keys, all embeddings learned, 400 updates, {seeds} seeds. A cell holds the share that is recalled, and two medians over the states before training: the entropy of the last weights (log 8 = 2.08 if all are equal), and the slope of the loss by a state.

{recalls}

Each softmax multiplies the slope by β times the covariance of the keys under its weights. From a large β the weights are sharp after the first step: the state has reached some key, right in one of eight cases, the covariance is 0, and no gradient says that it should have been another. One softmax suffers less, since it is applied once. From β = 1/√d the weights begin nearly equal, the slope is small but the same for all, and three steps train as well as one. More steps did not recall more: they help where a state is a weak or noisy version of a pattern ([choices](../layers.md#choices)).

{note}"""  # noqa: E501

VERDICT = (
    "For a table, begin with logistic regression or support vectors: layers are no better there, "
    "beyond the spread of the seeds, and have more to set. A layer is for what they cannot read: "
    "bags, where a label belongs to one row of many, and recall, where rows are compared with "
    "each other. Gated attention and the pooling read bags equally well within the spread; recall "
    "suits the association, which compares by its scores. Three steps do not help here."
)

NOTE = "All examples: [layers that learn](../learned.md).\n"


def results() -> dict[tuple[str, str, int], float]:
    """Return the accuracy by task, method and seed."""
    return {
        (line["task"], line["method"], line["seed"]): line["accuracy"]
        for line in records.read(RECORDS)[1]
    }


def means() -> dict[tuple[str, str], tuple[float, float]]:
    """Return the mean accuracy and its standard deviation over seeds, by task and method."""
    found: dict[tuple[str, str], list[float]] = {}
    for (task, method, _), accuracy in results().items():
        found.setdefault((task, method), []).append(accuracy)
    return {key: (statistics.fmean(each), statistics.stdev(each)) for key, each in found.items()}


def text() -> str:
    """Return the page."""
    known, lines = means(), [f"| task | {' | '.join(METHODS)} |", "|---" * (len(METHODS) + 1) + "|"]
    for task in TASKS:
        best = max(mean for (name, _), (mean, _) in known.items() if name == task)
        cells = []
        for method in METHODS:
            mean, deviation = known.get((task, method), (None, None))
            if mean is None or deviation is None:
                cells.append("")
                continue
            mark = "**" if mean == best else ""
            cells.append(f"{mark}{100 * mean:.1f}{mark} ± {100 * deviation:.1f}")
        lines.append(f"| {task} | {' | '.join(cells)} |")
    seeds = len({seed for _, _, seed in results()})
    return TEXT.format(seeds=seeds, table="\n".join(lines), verdict=VERDICT, pairs=PAIRS,
                       symbols=SYMBOLS, noise=NOISE, updates=UPDATES, batch=BATCH, rate=RATE,
                       note=NOTE)  # fmt: skip


def starts_text() -> str:
    """Return the page of starts."""
    lines = records.read(START_RECORDS)[1]
    head = [f"| projections | β | {' | '.join(f'σ = {one}' for one in starts.DEVIATIONS)} |"]
    lookups = [*head, "|---" * (2 + len(starts.DEVIATIONS)) + "|"]
    for projections, beta in product(("none", "linear"), starts.BETAS):
        row = [
            f"{one['held']:.1f}, {100 * one['accuracy']:.1f} %"
            for one in records.select(lines, "lookup_start", projections=projections, beta=beta)
        ]
        lookups.append(f"| {projections} | {beta} | {' | '.join(row)} |")
    recalls = [f"| β | {' | '.join(f'{n} softmax' + 'es' * (n > 1) for n in starts.STEPS)} |"]
    recalls.append("|---" * (1 + len(starts.STEPS)) + "|")
    for beta in starts.RECALL_BETAS:
        row = [
            f"{100 * one['accuracy']:.0f} %; {one['entropy']:.2f}, {one['slope']:.0e}"
            for one in records.select(lines, "recall_start", beta=beta)
        ]
        recalls.append(f"| {beta} | {' | '.join(row)} |")
    return STARTS_TEXT.format(lookups="\n".join(lookups), recalls="\n".join(recalls),
                              seeds=starts.SEEDS, updates=starts.UPDATES, note=NOTE)  # fmt: skip


def write() -> None:
    """Write the pages whose records exist."""
    for path, of, made in (
        (RECORDS, PAGE, text),
        (START_RECORDS, STARTS_PAGE, starts_text),
    ):
        if path.exists():
            of.write_text(made(), encoding="utf-8")
