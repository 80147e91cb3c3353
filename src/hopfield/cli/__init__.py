"""The command line `hopfield`.

Version, help and mistakes in options are answered without PyTorch, which takes seconds to load.
"""

import sys

INTERRUPTED = 130
"""Exit status after Ctrl-C, as in shells."""


def main() -> int:
    """Run the command line and return its exit status."""
    try:
        from .commands import run

        return run(sys.argv[1:])
    except ModuleNotFoundError as missing:
        if missing.name != "typer":
            raise
        print(
            "hopfield: the command line needs typer, which is not installed. "
            "Install it with: pip install 'hopfield[cli]'",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("hopfield: interrupted.", file=sys.stderr)
        return INTERRUPTED
