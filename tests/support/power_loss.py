"""Power losses, replayed: what a disk may hold if the power fails at any sync of a program."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

DAMAGES = ("missing", "zeros", "half", "empty", "whole")
"""What becomes of a file that was not synced."""


class PowerLoss:
    """A folder, and what of it is safe; `at_cut` is called before each sync.

    Content is safe once its file was synced, and a name once its folder was. Nothing is synced to
    the real disk.
    """

    def __init__(self, folder: Path, at_cut: Callable[[], None]) -> None:
        self.folder, self.at_cut = folder, at_cut
        self.contents: dict[int, bytes] = {}  # by the number of the file, which renaming keeps
        self.names: set[Path] = set()

    def sync(self, path: Path) -> None:
        """Take the place of `durable.sync`."""
        self.at_cut()
        if path.is_dir():
            self.names |= set(path.iterdir())
        else:
            self.contents[path.stat().st_ino] = path.read_bytes()

    def unsafe(self) -> list[Path]:
        """Files whose content or name a power loss may take."""
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return [path for path in files if not (self._has_name(path) and self._has_content(path))]

    def states(self, target: Path, thorough: bool) -> Iterator[str]:
        """Make `target` what the disk may hold now, one state after another.

        All unsafe files are damaged alike; `thorough`, each of them alone too, or all but one.
        """
        unsafe = self.unsafe()
        plans = [dict.fromkeys(unsafe, damage) for damage in DAMAGES[: 5 if thorough else 3]]
        if thorough and len(unsafe) > 1:
            plans += [{path: damage} for path in unsafe for damage in DAMAGES[:-1]]
            plans += [dict.fromkeys(set(unsafe) - {path}, "missing") for path in unsafe]
        for plan in plans:
            shutil.rmtree(target, ignore_errors=True)
            if self.folder.exists():
                shutil.copytree(self.folder, target)
            for path, damage in plan.items():
                self._damage(target / path.relative_to(self.folder), path, damage)
            yield ", ".join(f"{path.name} {damage}" for path, damage in plan.items())

    def _has_name(self, path: Path) -> bool:
        above = [each for each in path.parents if each.is_relative_to(self.folder)]
        return all(each in self.names for each in (path, *above))

    def _has_content(self, path: Path) -> bool:
        return self.contents.get(path.stat().st_ino) == path.read_bytes()

    def _damage(self, copy: Path, path: Path, damage: str) -> None:
        content = copy.read_bytes()
        if damage == "missing" and not self._has_name(path):
            copy.unlink()
        elif self._has_content(path):
            return  # only its name is in danger
        elif damage == "zeros":
            copy.write_bytes(bytes(len(content)))
        elif damage == "half":
            copy.write_bytes(content[: len(content) // 2])
        elif damage in ("empty", "missing"):
            copy.write_bytes(b"")
