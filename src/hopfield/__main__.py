"""`hopfield` and `python -m hopfield`: the command line, or how to get it."""

import sys


def main() -> int:
    """Run the command line and return its exit status."""
    try:
        from .cli import run
    except ModuleNotFoundError as missing:
        if missing.name not in ("typer", "rich"):
            raise
        print(
            f"hopfield: the command line needs {missing.name}, which is not installed. "
            "Install it with: pip install 'hopfield[cli]'",
            file=sys.stderr,
        )
        return 1
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
