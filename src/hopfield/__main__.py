"""`python -m hopfield`: the command line, as `hopfield` runs it."""

import sys

from hopfield.cli import main

if __name__ == "__main__":
    sys.exit(main())
