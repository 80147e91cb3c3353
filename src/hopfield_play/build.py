"""Build the page: `python -m hopfield_play.build page.html` makes one file of the sources."""

import re
import sys
from importlib import metadata
from pathlib import Path

from .sources import SOURCES

CASES = 876
"""Number of golden cases, which the page names; a test counts them."""

PLACES = (
    "computed in this page, in JavaScript; nothing leaves it",
    "served by hopfield play; nothing leaves this computer",
)
"""The place where the page computes, in words: as a file, and served."""

IMPORT = re.compile(r"^import \{[^}]*\} from \"\./([\w-]+\.js)\";\n", re.MULTILINE)
EXPORT = re.compile(r"^export (?=async function|function|class|const)", re.MULTILINE)


def bundle(entry: str = "main.js") -> str:
    """Return one script of a module and all that it imports, each after those that it needs.

    All modules share one scope, in which a name may be declared once: a browser refuses a script
    that declares it twice.
    """
    parts: dict[str, str] = {}
    _collect(entry, parts)
    return "\n".join(parts.values())


def _collect(name: str, parts: dict[str, str]) -> None:
    if name in parts:
        return
    text = (SOURCES / name).read_text("utf-8")
    parts[name] = ""  # modules may name each other inside functions
    for needed in IMPORT.findall(text):
        _collect(needed, parts)
    del parts[name]
    parts[name] = f"// {name}\n{EXPORT.sub('', IMPORT.sub('', text))}"


def page(served: bool = False) -> str:
    """Return the page, with style, scripts and digits in it.

    A served page may ask the server that it came from, and no other.
    """
    values = {
        "connect": "; connect-src 'self'" if served else "",
        "served": "served" if served else "static",
        "place": PLACES[served],
        "version": metadata.version("hopfield"),
        "cases": str(CASES),
        "style": (SOURCES / "style.css").read_text("utf-8"),
        "digits": (SOURCES / "digits.txt").read_text("ascii"),
        "script": bundle(),
    }
    template = (SOURCES / "index.html").read_text("utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], template)


def write(path: str | Path) -> Path:
    """Write the page to a file."""
    target = Path(path)
    target.write_text(page(), "utf-8", newline="\n")
    return target


if __name__ == "__main__":
    print(write(sys.argv[1]))
