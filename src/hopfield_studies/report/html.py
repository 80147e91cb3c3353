"""Pieces of the page: text that is escaped, tables, and figures as inline SVG."""

import io
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from hopfield import plots
from hopfield.experiments import Record

from ..wording import keep_equations_whole, listed
from .style import STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SOFT_INK = "#5c646d"
VARIABLES = {
    plots.INK: "--ink",
    SOFT_INK: "--soft",
    plots.BLUE: "--blue",
    plots.ORANGE: "--orange",
    plots.GREEN: "--green",
    plots.RED: "--red",
}
"""Colours of figures, and the CSS variables that replace them for light and dark pages."""


def document(title: str, header: str, main: str, footer: str) -> str:
    """Return a whole page with the style sheet in it; all but the title is HTML."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>"
        f'<link rel="icon" href="data:,"><style>{STYLE}</style></head><body>'
        f"<header><h1>{escape(title)}</h1>{header}</header><main>{main}</main>"
        f"<footer>{footer}</footer></body></html>\n"
    )


def versions(head: Record) -> str:
    """Return the versions that made the records, as a sentence."""
    names = [name for name in ("hopfield", "torch", "numpy", "python") if name in head]
    return f"Made with {escape(listed([f'{name} {head[name]}' for name in names]))}."


def prose(text: str) -> str:
    """Return plain text as HTML with unbroken equations."""
    return escape(keep_equations_whole(text))


@dataclass
class Section:
    """One section of the page: its anchor, its title, and the pieces in it."""

    anchor: str
    title: str
    pieces: list[str] = field(default_factory=list)
    is_folded: bool = field(default=False, init=False)

    def say(self, *sentences: str) -> None:
        """Add a paragraph of plain text."""
        self.pieces.append(f"<p>{prose(' '.join(sentences))}</p>")

    def fold(self, title: str) -> None:
        """Fold away all that follows, up to the next fold; a click on the title unfolds it."""
        closing = "</details>" if self.is_folded else ""
        self.pieces.append(f"{closing}<details><summary><h3>{escape(title)}</h3></summary>")
        self.is_folded = True

    def show(self, *figures: str) -> None:
        """Add figures side by side; on a phone one below the other."""
        self.pieces.append(f'<div class="figures">{"".join(figures)}</div>')

    def beside(self, figure: str, *sentences: str) -> None:
        """Add a paragraph and a figure side by side; on a phone one below the other."""
        self.pieces.append(
            f'<div class="figures"><p>{prose(" ".join(sentences))}</p>{figure}</div>'
        )

    def link(self, words: str, target: str) -> None:
        """Add a link after all that can be seen, before what is folded away."""
        here = next(
            (k for k, piece in enumerate(self.pieces) if piece.startswith("<details>")),
            len(self.pieces),
        )
        self.pieces.insert(here, f'<p><a href="{escape(target)}">{escape(words)}</a></p>')

    def add(self, piece: str) -> None:
        """Add a finished piece of HTML."""
        self.pieces.append(piece)

    def html(self) -> str:
        """Return the section as HTML."""
        title = f'<h2 id="{self.anchor}">{escape(self.title)}</h2>'
        body = "".join(self.pieces) + ("</details>" if self.is_folded else "")
        return f'<section aria-labelledby="{self.anchor}">{title}{body}</section>'


@contextmanager
def theme() -> Iterator[None]:
    """Draw figures with the fonts and colours of the page."""
    plots.figure()  # says which extra is missing before anything else happens
    import matplotlib

    settings: dict[Any, Any] = {
        "svg.fonttype": "path",
        "svg.hashsalt": "hopfield",
        "font.size": 10,
        "text.color": plots.INK,
        "axes.edgecolor": SOFT_INK,
        "axes.labelcolor": plots.INK,
        "xtick.color": SOFT_INK,
        "ytick.color": SOFT_INK,
        "xtick.labelcolor": plots.INK,
        "ytick.labelcolor": plots.INK,
        "grid.color": SOFT_INK,
    }
    with matplotlib.rc_context(settings):
        yield


def drawing(ax: "Axes", caption: str, *, pictures: bool = False, light: bool = False) -> str:
    """Return a figure with its caption, which screen readers read aloud.

    Args:
        ax: what was drawn.
        caption: plain text.
        pictures: the figure shows images. A dark page inverts them, unless they are `light`.
        light: values of the images are light, not ink.
    """
    buffer = io.StringIO()
    ax.figure.get_figure(root=True).savefig(
        buffer, format="svg", transparent=True, metadata={"Date": None}
    )
    kind = ("pictures light" if light else "pictures") if pictures else "chart"
    text = prose(caption)
    svg = _inline(buffer.getvalue(), text, kind)
    return f"<figure>{svg}<figcaption>{text}</figcaption></figure>"


def _inline(document: str, alt: str, kind: str) -> str:
    body = document[document.index("<svg") :]
    box = body.split('viewBox="')[1].split('"')[0]
    body = body[body.index(">") + 1 :]
    body = re.sub(r"<(metadata|style)\b.*?</\1>", "", body, flags=re.DOTALL)
    for colour, variable in VARIABLES.items():
        body = body.replace(colour, f"var({variable})")
    body = re.sub(r"\s*\n\s*", " ", _private(body))
    return f'<svg class="{kind}" role="img" aria-label="{alt}" viewBox="{box}">{body}'


def _private(body: str) -> str:
    # Many figures share one page, so each gets a prefix for its ids.
    prefix = f"f{zlib.crc32(body.encode()):08x}-"
    body = re.sub(r'\bid="', f'id="{prefix}', body).replace("xlink:href=", "href=")
    body = body.replace('href="#', f'href="#{prefix}')
    return body.replace("url(#", f"url(#{prefix}")


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str = "", cards: bool = False
) -> str:
    """Return a table whose first column names the row; `cards` stacks the cells on a phone."""
    lines = []
    for first, *rest in rows:
        cells = "".join(
            f'<td class="figure" data-label="{escape(name)}">{escape(cell)}</td>'
            for name, cell in zip(head[1:], rest, strict=True)
        )
        lines.append(f'<tr><th scope="row">{prose(first)}</th>{cells}</tr>')
    return table_of_rows(head, "".join(lines), caption=caption, cards=cards)


def table_of_rows(head: Sequence[str], rows: str, *, caption: str = "", cards: bool = True) -> str:
    """Return a table whose rows are HTML."""
    columns = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    title = f"<caption>{prose(caption)}</caption>" if caption else ""
    kind = ' class="cards"' if cards else ""
    return (
        f'<div class="scroll"><table{kind}>{title}<thead><tr>{columns}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
