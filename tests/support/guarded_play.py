"""The command `hopfield`, ended with status 77 if it opens a file: its first argument names it."""

import os
import sys


def forbid(*names: str) -> None:
    """End the process at once where a file is opened whose path holds one of the names."""

    def watch(event: str, arguments: tuple) -> None:
        if event == "open" and any(name in str(arguments[0]) for name in names):
            os._exit(77)

    sys.addaudithook(watch)


if __name__ == "__main__":
    from hopfield.cli import main

    forbid(sys.argv.pop(1), "/etc/passwd")
    sys.exit(main())
