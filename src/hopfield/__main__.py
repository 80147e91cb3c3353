"""`python -m hopfield`: the command line, which `hopfield` starts without loading PyTorch first."""

import sys

from hopfield_cli import main

if __name__ == "__main__":
    sys.exit(main())
