"""Run the quick form of every result with many seeds: how often does a right library fail?

    python tests/support/seeds.py 24 docs/results/seeds.jsonl

What the file holds already is not run again. Of each result one line a seed is kept: the code that
was run, the images, how many of its checks hold, and the closest, as a share of its tolerance (1 is
the edge). The walkthrough is run on the digits too, which have expectations of their own.
"""

import sys
from pathlib import Path

from hopfield import data
from hopfield.experiments import records
from hopfield.experiments.runner import run
from hopfield_studies import published
from hopfield_studies.published.base import Form, Result


def closest(checks: list[records.Record]) -> float:
    """The largest distance from what was expected, as a share of the allowance."""
    shares = [0.0]
    for check in checks:
        measured, expected = check["measured"], check["expected"]
        edge = check["high"] if measured > expected else check["low"]
        if edge is not None and edge != expected:
            shares.append((measured - expected) / (edge - expected))
    return max(shares)


def of_seed(seed: int, result: Result, images: str) -> records.Record:
    """One result with one seed."""
    lines = run(published.tasks([result], Form(seed=seed, images=images)), progress=str)
    *judged, verdict = published.judge([result], lines)
    return {
        "experiment": "seed",
        "seed": seed,
        "result": result.name,
        "code": records.source_checksum(),
        "data": images,
        "checks": verdict["checks"],
        "holding": verdict["holding"],
        "closest": round(closest(records.select(judged, "check")), 3),
    }


def main(count: int, file: Path) -> None:
    """Run what the file lacks."""
    images = "mnist" if data.is_on_disk("mnist", "test") else "digits"
    asked = [(result, images) for result in published.RESULTS]
    asked += [(each, "digits") for each in published.select(["walkthrough"]) if images != "digits"]
    if not file.exists():
        records.write(file, records.header(form="quick"), [])
    done = {(line["seed"], line["result"], line["data"]) for line in records.read(file)[1]}
    for seed in range(count):
        for result, used in asked:
            if (seed, result.name, used) not in done:
                line = of_seed(seed, result, used)
                with file.open("a", encoding="utf-8") as out:
                    out.write(records.to_json_lines([line]))
                print(seed, result.name, used, line["holding"], line["closest"], flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
