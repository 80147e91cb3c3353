"""The command `hopfield`, ended with status 77 if it opens a file: its first argument names it."""

import os
import sys

FORBIDDEN = sys.argv.pop(1)


def watch(event: str, arguments: tuple) -> None:
    """End the process at once where the file, or one of the system's, is opened."""
    if event == "open" and any(name in str(arguments[0]) for name in (FORBIDDEN, "/etc/passwd")):
        os._exit(77)


if __name__ == "__main__":
    from hopfield.cli import main

    sys.addaudithook(watch)
    sys.exit(main())
