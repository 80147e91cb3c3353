"""Kill processes while they write a file, and report what is left.

    python tests/support/killed_writers.py FOLDER [--kills 400] [--seed 0]

`FOLDER/old` and `FOLDER/new` hold the two contents. After each kill, `FOLDER/file` must be one of
the two, whole, and the next write must leave no temporary file. Loads no torch, so that a process
starts by a fork in a millisecond.
"""

import argparse
import json
import os
import random
import signal
import time
from pathlib import Path

from hopfield.files import write_whole


def main() -> None:
    """Print counts as JSON: kills, kills that left a temporary file, and what was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    random.seed(given.seed)
    contents = [(given.folder / name).read_bytes() for name in ("old", "new")]
    file, present = given.folder / "file", {"old", "new", "file"}
    counts = {"kills": 0, "abandoned": 0, "torn": 0, "not_removed": 0}
    started = time.perf_counter()
    for content in contents * 5:
        write_whole(file, content)
    longest = (time.perf_counter() - started) / 5  # of two writes
    for _ in range(given.kills):
        child = os.fork()
        if not child:
            while True:
                for content in contents:
                    write_whole(file, content)
        time.sleep(random.uniform(0.0, longest))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        counts["kills"] += 1
        counts["torn"] += file.read_bytes() not in contents
        counts["abandoned"] += {each.name for each in given.folder.iterdir()} != present
        write_whole(file, random.choice(contents))
        counts["not_removed"] += {each.name for each in given.folder.iterdir()} != present
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
