"""The work of another process with a file of a memory whose patterns have names.

    python tests/support/named_memory.py FILE

loads the memory, removes, replaces and stores patterns by name, saves it, and prints what it
recalls as JSON.
"""

import json
import sys

import hopfield
from draws import signs

ROWS = signs(8, 32, seed=1)


def main() -> None:
    """Change the memory in the file by names, and print the names and rows it then recalls."""
    file = sys.argv[1]
    memory = hopfield.load(file)
    memory.remove(names=["n0", "n3"])
    memory.store(ROWS[6:7], ["new"], names=["n6"], table={"size": [6.5]})
    memory.replace("n1", ROWS[7:8], table={"size": [None]})
    memory.save(file)
    again = hopfield.load(file)
    answer = again.retrieve(ROWS)
    print(
        json.dumps(
            {
                "names": again.names,
                "recalled": answer.name[[1, 2, 4, 5, 6, 7]].tolist(),
                "values": answer.value[[1, 2, 4, 5, 6, 7]].tolist(),
                "rows": again.rows(),
            }
        )
    )


if __name__ == "__main__":
    main()
