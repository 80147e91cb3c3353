"""Hook of MkDocs: what the site takes from outside docs/, and its navigation.

- docs/index.md is the navigation: a heading is a tab or section, the first link of an item a page.
- README, changelog and other pages outside docs/ become pages; their links are rewritten.
- Notebooks become pages, with their printed text and pictures.
- One page of reference per public namespace, made of its docstrings.
- The search index is also a script: pages opened from a folder cannot fetch the other one.
"""

import ast
import base64
import itertools
import json
import re
from collections.abc import Container
from pathlib import Path
from posixpath import dirname, join, normpath, relpath
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import griffe
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "hopfield"
OUTSIDE = {
    "README.md": "start.md",
    "CHANGELOG.md": "changelog.md",
    "tests/README.md": "tests.md",
    "examples/hierarchical.py": "hierarchical.md",
    "LICENSE": "license.md",
}
"""Files of the checkout that are pages of the site."""

NAMESPACES = (
    *("hopfield", "analysis", "nn", "sklearn", "separation", "similarity", "rules", "units"),
    *("stores", "energy", "data", "corruption", "metrics", "synthetic", "experiments", "theory"),
    *("plots", "errors"),
)
"""Every public module has a page of the reference, in this order."""

PLAYGROUND = """[Open the playground on a page of its own.](play.html)

<iframe src="play.html" title="Playground" style="width: 100%; height: 42rem; border: 0"></iframe>
"""
"""What the site adds to docs/playground.md."""

FENCE = re.compile(r"^(```.*?^```[ ]*)$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^)\s]+)\)")
HEADING = re.compile(r"^(#+) +(.+)$")
ITEM = re.compile(r"^- \[(.+?)\]\(([^)#\s]+)\)")


def navigation(index: str) -> list[dict[str, Any]]:
    """Return the tabs of the site from the text of docs/index.md; each page at its first mention.

    A link to the README.md of a folder is a section with all pages of the folder, in the order in
    which it names them.
    """
    levels: list[list[dict[str, Any]]] = [[]]  # the open lists: tabs, sections, their sections
    seen = {"index.md"}
    for line in index.splitlines():
        if (heading := HEADING.match(line)) and len(heading[1]) > 1:
            del levels[len(heading[1]) - 1 :]
            below: list[dict[str, Any]] = []
            levels[-1].append({heading[2]: below})
            levels.append(below)
        elif item := ITEM.match(line):
            page = site_path(normpath(join("docs", item[2])))
            if page is None or page in seen:
                continue
            seen.add(page)
            levels[-1].append({_plain(item[1]): _with_folder(page)})
    return levels[0]


def _plain(title: str) -> str:
    return title.replace("`", "")


def _with_folder(page: str) -> str | list[str]:
    if not page.endswith("/README.md"):
        return page
    folder = ROOT / "docs" / dirname(page)
    text = (folder / "README.md").read_text(encoding="utf-8")
    others = sorted(p.name for p in folder.glob("*.md") if p.name != "README.md")
    others.sort(key=lambda name: text.find(f"({name})"))
    return [page, *(join(dirname(page), name) for name in others)]


def site_path(path: str) -> str | None:
    """Return where the site has a file of the checkout, None if it has not."""
    if path.startswith("notebooks/") and path.endswith(".ipynb"):
        return path.replace(".ipynb", ".md")
    if path.startswith("docs/") and (ROOT / path).is_file() and not path.endswith(".py"):
        return path.removeprefix("docs/")
    return OUTSIDE.get(path)


def checkout_path(page: str) -> str:
    """Return where the checkout has a page of the site."""
    if page.startswith("notebooks/"):
        return page.replace(".md", ".ipynb")
    return next((path for path, name in OUTSIDE.items() if name == page), f"docs/{page}")


def rewrite_links(text: str, page: str) -> str:
    """Lead the links of a page within the site.

    Of links to source files only the words remain; the name of a file becomes its title.
    """
    here = checkout_path(page)

    def within_site(link: re.Match[str]) -> str:
        mark, words, target = link.groups()
        if re.match(r"[a-z]+:|#", target):
            return link[0]
        path, hash_mark, anchor = target.partition("#")
        file = normpath(join(dirname(here), path))
        found = site_path(file)
        if found is None:
            return words if (ROOT / file).exists() else link[0]
        if words == Path(path).name:
            words = _heading(ROOT / file)
        return f"{mark}[{words}]({relpath(found, dirname(page) or '.')}{hash_mark}{anchor})"

    parts = FENCE.split(text)
    return "".join(p if FENCE.match(p) else LINK.sub(within_site, p) for p in parts)


def _heading(path: Path) -> str:
    return path.read_text(encoding="utf-8").split("\n", 1)[0].removeprefix("# ")


def notebook(cells: list[dict[str, Any]], name: str) -> tuple[str, dict[str, bytes]]:
    """Return a notebook as a page, and its pictures by the name of their file."""
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in cells:
        text = "".join(cell["source"])
        if not parts:
            title, _, text = text.partition("\n")
            parts += [title, f'<a href="{name}.ipynb" download>Download for Jupyter.</a>']
            text = text.strip()
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
        for output in cell.get("outputs", []):
            if "text" in output:
                parts.append(f"```text\n{''.join(output['text']).rstrip()}\n```")
            else:
                picture = f"{name}-{len(pictures) + 1}.png"
                pictures[picture] = base64.b64decode(output["data"]["image/png"])
                parts.append(f"![Figure {len(pictures)}]({picture})")
    return "\n\n".join(parts) + "\n", pictures


class Shown(NamedTuple):
    """What the page of a class shows beside its docstring.

    Attributes:
        members: names, in the order of the page.
        bases: paths of the bases that a reader can look up.
    """

    members: list[str]
    bases: list[str]


def reference(namespace: str, classes: dict[str, Shown]) -> str:
    """Return the page of a namespace: a heading, a sentence, and every public name.

    Args:
        namespace: one of `NAMESPACES`.
        classes: what the page shows of a class, by its name.
    """
    path = PACKAGE if namespace == "hopfield" else PACKAGE / namespace
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    summary = (ast.get_docstring(tree) or "").split("\n\n")[0]
    names = _top_level(tree) if namespace == "hopfield" else public_names(tree)
    parts = [f"# {_title(namespace)}", summary]
    for name in names:
        members, bases = classes.get(name, Shown([], []))
        options = {"members": members, "inherited_members": members, "extra": {"bases": bases}}
        parts.append(f"::: {_title(namespace)}.{name}\n    options: {json.dumps(options)}")
    return "\n\n".join(parts) + "\n"


def _title(namespace: str) -> str:
    return namespace if namespace == "hopfield" else f"hopfield.{namespace}"


def public_names(tree: ast.Module) -> list[str]:
    """Return the classes and functions of `__all__`; without it, all without an underscore."""
    listed = _assigned(tree, "__all__")
    if listed is None:
        nodes = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
        listed = [node.name for node in nodes if not node.name.startswith("_")]
    return [name for name in listed if not name.isupper()]


def _top_level(tree: ast.Module) -> list[str]:
    """Names of the package that no other page has; `Memory`, the base of all memories, first."""
    homes = _assigned(tree, "_DEFINED_IN")
    names = [name for home in homes if home not in NAMESPACES for name in homes[home]]
    return sorted(names, key="Memory".__ne__)


def _assigned(tree: ast.Module, name: str) -> Any:
    """Return the literal that a module assigns to `name`, None if it assigns none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return ast.literal_eval(node.value)
    return None


def shown_classes() -> dict[str, Shown]:
    """Return what the reference shows of each public class."""
    import griffe

    package = griffe.load("hopfield", search_paths=[ROOT / "src"])
    namespaces = [package, *(package[name] for name in NAMESPACES if name != "hopfield")]
    exported = ((space, name) for space in namespaces for name in space.exports or ())
    public = {name: space[name] for space, name in exported if not name.isupper()}
    common = public["Memory"].all_members
    shown = {}
    for name, value in public.items():
        if value.is_class:
            bases = value.mro()
            inner = list(itertools.takewhile(lambda base: base.name not in public, bases))
            # What all memories have is on one page: their networks override much of it.
            hidden = common if any(base.name == "Memory" for base in bases) else ()
            shown[name] = Shown(_members([value, *inner], hidden), _bases([value, *inner], public))
    return shown


def _members(classes: "list[griffe.Class]", hidden: Container[str]) -> list[str]:
    """Return the documented members, first those of the first class."""
    documented = [m.name for base in classes for m in base.members.values() if m.has_docstring]
    shown = (name for name in documented if not name.startswith("_") and name not in hidden)
    return list(dict.fromkeys(shown))


def _bases(classes: "list[griffe.Class]", public: Container[str]) -> list[str]:
    """Return the bases of a class and of its inner bases that are public or of other packages."""

    def is_shown(path: str) -> bool:
        if path.startswith("hopfield."):
            return path.rpartition(".")[2] in public
        return path not in ("abc.ABC", "typing.Protocol")

    paths = [getattr(b, "canonical_path", str(b)) for base in classes for b in base.bases]
    return list(filter(is_shown, dict.fromkeys(paths)))


def on_config(config: "MkDocsConfig") -> None:
    """Set the navigation."""
    index = ROOT / "docs" / "index.md"
    tabs = navigation(index.read_text(encoding="utf-8"))
    pages = [{_title(name): f"reference/{name}.md"} for name in NAMESPACES]
    config.nav = [{"Home": "index.md"}, *tabs, {"Reference": pages}]


def on_files(files: "Files", config: "MkDocsConfig") -> None:
    """Add the pages from outside docs/ and the reference."""
    from mkdocs.structure.files import File

    classes = shown_classes()
    made = {f"reference/{name}.md": reference(name, classes) for name in NAMESPACES}
    for path, page in OUTSIDE.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        made[page] = _as_page(path, text)
    from hopfield_play import build

    made["play.html"] = build.page()
    extra: dict[str, bytes] = {}
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        made[f"notebooks/{path.stem}.md"], shown = notebook(cells, path.stem)
        extra |= {f"notebooks/{name}": content for name, content in shown.items()}
        extra[f"notebooks/{path.name}"] = path.read_bytes()
    for name, content in [*made.items(), *extra.items()]:
        files.append(File.generated(config, name, content=content))


def _as_page(path: str, text: str) -> str:
    if path.endswith(".md"):
        return text
    language = "python" if path.endswith(".py") else "text"
    return f"# {Path(path).name}\n\n```{language}\n{text}```\n"


def on_page_markdown(markdown: str, page: "Page", config: "MkDocsConfig", files: "Files") -> str:
    """Rewrite links, except on generated pages of the reference."""
    name = page.file.src_uri
    if name == "playground.md":
        title, text = markdown.split("\n", 1)
        markdown = f"{title}\n\n{PLAYGROUND}\n{text}"
        page.meta["hide"] = ["navigation", "toc"]  # room for the four panels
    if name == "index.md":
        page.meta["hide"] = ["navigation"]  # its only page
    return markdown if name.startswith("reference/") else rewrite_links(markdown, name)


def on_post_build(config: "MkDocsConfig") -> None:
    """Write the search index as a script."""
    folder = Path(config.site_dir, "search")
    index = (folder / "search_index.json").read_text(encoding="utf-8")
    (folder / "search_index.js").write_text(f"var __index = {index}", encoding="utf-8")
