"""Draw the pictures of the README from the records of a demo.

hopfield demo --out demo
python docs/make_pictures.py demo/records.jsonl
"""

import sys
from pathlib import Path

from hopfield import plots
from hopfield.experiments import records

IMAGES = Path(__file__).parent / "images"
PIXELS = 900
STORED = 1000


def demo(lines: list[records.Record], path: Path) -> None:
    """Draw digits completed from their upper half, by the dot product and by Euclidean distance."""
    dot = records.find(lines, "modern", case="document", n=STORED)
    sharp = records.find(lines, "modern", case="sharp", n=STORED)
    rows = [
        ("stored", sharp["original"]),
        ("cue", sharp["cue"]),
        (f"dot product\nβ = {dot['case_beta']:g}", dot["retrieved"]),
        (f"Euclidean\nβ = {sharp['case_beta']:g}", sharp["retrieved"]),
    ]
    axes = plots.pictures(rows, sharp["shape"], known=sharp["known"])
    axes.tick_params(labelsize=9)
    figure = axes.figure
    figure.savefig(path, dpi=PIXELS / plots.WIDTH, facecolor="white", metadata={"Software": None})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: python {sys.argv[0]} RECORDS")
    demo(records.read(Path(sys.argv[1]))[1], IMAGES / "demo.png")
