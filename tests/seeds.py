"""Run the nine results' quick form with many seeds: how often does a right library fail?

    python tests/seeds.py 24 docs/results/seeds.jsonl

Seeds that the file holds already are not run again. Of each result one line a seed is kept: how
many of its checks hold, and the closest, as a share of its tolerance (1 is the edge).
"""

import json
import sys
from pathlib import Path

from hopfield import data
from hopfield.experiments import published, records
from hopfield.experiments.published.base import Form
from hopfield.experiments.runner import run


def closest(checks: list[records.Record]) -> float:
    """The largest distance from what was expected, as a share of what is allowed."""
    shares = [0.0]
    for check in checks:
        measured, expected = check["measured"], check["expected"]
        edge = check["high"] if measured > expected else check["low"]
        if edge is not None and edge != expected:
            shares.append((measured - expected) / (edge - expected))
    return max(shares)


def of_seed(seed: int, images: str) -> list[records.Record]:
    """One line a result."""
    lines = run(published.tasks(published.NINE, Form(seed=seed, images=images)), tell=str)
    judged = published.judge(published.NINE, lines)
    return [
        {
            "experiment": "seed",
            "seed": seed,
            "result": verdict["result"],
            "checks": verdict["checks"],
            "holding": verdict["holding"],
            "closest": round(closest(records.select(judged, "check", result=verdict["result"])), 3),
        }
        for verdict in records.select(judged, "verdict")
    ]


def main(count: int, file: Path) -> None:
    """Run the seeds that the file lacks."""
    images = "mnist" if data.at_hand("mnist", "test") else "digits"
    if not file.exists():
        records.write(file, records.header(data=images, form="quick"), [])
    done = {line["seed"] for line in records.read(file)[1]}
    for seed in range(count):
        if seed not in done:
            lines = of_seed(seed, images)
            with file.open("a", encoding="utf-8") as out:
                out.write(records.lines_of(lines))
            print(seed, json.dumps({line["result"]: line["closest"] for line in lines}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
