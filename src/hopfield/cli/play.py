"""`hopfield play`: write the playground to a file, or open it in a browser."""

import tempfile
import webbrowser
from pathlib import Path

NAME = "playground.html"


def play(export: str) -> None:
    """Write the page to the file `export`; without one, to a new folder, and open it."""
    from hopfield_play import build

    if export:
        print(build.write(export))
        return
    page = build.write(Path(tempfile.mkdtemp(prefix="hopfield-")) / NAME)
    print(page.as_uri())
    if not webbrowser.open(page.as_uri()):
        print("No browser was found: open this address in one, or use --export page.html.")
