"""`hopfield`, the command: it answers before PyTorch is loaded, and takes Ctrl-C while it loads.

Importing anything of the package `hopfield` loads PyTorch, which takes seconds. So what needs no
memory (version, help, mistakes in the command line) lives here, beside that package.
"""

import sys

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


def main() -> int:
    """Run the command line and return its exit status."""
    try:
        from .commands import run

        return run(sys.argv[1:])
    except ModuleNotFoundError as missing:
        if missing.name not in ("typer", "rich"):
            raise
        print(
            f"hopfield: the command line needs {missing.name}, which is not installed. "
            "Install it with: pip install 'hopfield[cli]'",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("hopfield: interrupted.", file=sys.stderr)
        return INTERRUPTED
