"""Make each notebook from its script: run its cells, and keep their pictures and text.

    python notebooks/build.py [NAME …]

The scripts are the source (percent format of jupytext). The notebooks are kept with their outputs,
so that they can be read where nothing runs them; a test compares cells and printed text with the
scripts. Needs the extra `notebooks`.
"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

FOLDER = Path(__file__).resolve().parent


def scripts(names: list[str]) -> list[Path]:
    """Return the scripts of these names; without names, all."""
    found = sorted(path for path in FOLDER.glob("*.py") if path.name != Path(__file__).name)
    return [path for path in found if not names or path.stem in names]


def build(script: Path) -> None:
    """Run a script as a notebook, and write it beside the script."""
    import jupytext
    import nbformat
    from nbclient import NotebookClient
    from traitlets.config import Config

    notebook = jupytext.read(script)
    with TemporaryDirectory() as folder:
        # Sockets of the file system: over TCP a kernel warns that others could listen.
        sockets = Config(KernelManager={"transport": "ipc", "ip": f"{folder}/kernel"})
        options = {"timeout": 300, "resources": {"metadata": {"path": FOLDER}}}
        # Else the printed text is cut wherever the kernel happened to send it.
        NotebookClient(notebook, config=sockets, coalesce_streams=True, **options).execute()
    for number, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{number}", {}
    notebook.metadata.pop("language_info", None)
    nbformat.write(notebook, script.with_suffix(".ipynb"))


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"  # sums in the same order, and so the same figures
    for script in scripts(sys.argv[1:]):
        print(script.stem)
        build(script)
