"""Running experiments: resumable, in several processes, each record written as soon as it is there.

A task is one experiment with one frozen config. Its records say which task made them, so a second
run on the same file skips what is there. When all is done the file is put in the order of the
tasks: the same tasks give the same file, however many processes made it.
"""

import itertools
import json
import multiprocessing
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import torch

from ..checks import check_integer, say
from ..errors import FileFormatError, InputTypeError, OptionError
from .records import Record, header, lines_of, plain, read, write
from .setup import check_callable, describe

SAME = ("hopfield", "code", "torch", "numpy")
"""What must agree for a run to go on where another stopped."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Task:
    """One experiment to run.

    Args:
        experiment: `experiment(config, setup)` → a record, or several.
        config: a frozen dataclass of plain values, its seed among them.
        setup: what the experiment is made on; has `facts()`, as `Setup`.
        tags: fields put in front of each of its records.
    """

    experiment: Callable[[Any, Any], Any]
    config: Any
    setup: Any
    tags: Mapping[str, str] = field(default_factory=dict)

    def identity(self) -> str:
        """What tells this task from every other, in eight hexadecimal digits."""
        facts = {
            "does": describe(self.experiment),
            **self.setup.facts(),
            **{name: plain(value) for name, value in asdict(self.config).items()},
            **self.tags,
        }
        text = json.dumps(facts, sort_keys=True, ensure_ascii=False)
        return f"{zlib.crc32(text.encode()):08x}"

    def title(self) -> str:
        """What is told while it runs."""
        values = (f"{name}={value}" for name, value in asdict(self.config).items())
        case = self.setup.facts().get("case", "")
        return f"{describe(self.experiment)}: {case}, {', '.join(values)}"

    def run(self) -> list[Record]:
        """Its records, each saying which task made it and of how many it is one."""
        with one_thread():
            made = self.experiment(self.config, self.setup)
            lines = [made] if isinstance(made, dict) else list(made)
        marks = {"task": self.identity(), "lines": len(lines)}
        return [{**self.tags, **line, **marks} for line in lines]


def sweep(config: Any, **axes: Iterable[Any]) -> list[Any]:
    """The config with every combination of these values: `sweep(Recall(), n=[5, 10], seed=[0, 1])`.

    Raises:
        OptionError: for a name that is no field of the config.
    """
    if not is_dataclass(config) or isinstance(config, type):
        raise OptionError(f"config must be a config such as Recall(), but is {config!r}.")
    names = [each.name for each in fields(config)]
    unknown = sorted(set(axes) - set(names))
    if unknown:
        raise OptionError(
            f"{type(config).__name__} has no {', '.join(unknown)}. It has {', '.join(names)}."
        )
    combinations = itertools.product(*(list(values) for values in axes.values()))
    return [replace(config, **dict(zip(axes, each, strict=True))) for each in combinations]


def plan(
    experiment: Callable[[Any, Any], Any], configs: Any, setups: Any, **tags: str
) -> list[Task]:
    """A task for every setup and config; one of either need not be in a list.

    Raises:
        InputTypeError: where one of them is something else.
    """
    check_callable("experiment", experiment, "recall")
    chosen = _several("configs", configs, "config such as Recall()", is_dataclass)
    under = _several("setups", setups, "Setup", lambda each: hasattr(each, "facts"))
    return [Task(experiment, config, setup, tags) for setup in under for config in chosen]


def _several(name: str, given: Any, what: str, fits: Callable[[Any], bool]) -> list[Any]:
    """One, or a list of them, as a list."""
    many = [given] if fits(given) or not isinstance(given, Iterable) else list(given)
    wrong = [each for each in many if isinstance(each, type) or not fits(each)]
    if wrong:
        raise InputTypeError(
            f"{name} must be a {what}, or a list of them, but there is {say(wrong[0])}. "
            f"Give a {what}."
        )
    return many


def run(
    tasks: Sequence[Task],
    path: "str | Path | None" = None,
    *,
    processes: int = 1,
    tell: "Tell | None" = None,
    facts: Mapping[str, Any] | None = None,
) -> list[Record]:
    """The records of all tasks, in their order.

    Args:
        tasks: what to do, as `plan` makes it.
        path: file of records. What it holds already is not done again; None keeps none.
        processes: how many work at once, each on one thread. With more than one, start it under
            `if __name__ == "__main__":`, as Python asks of every script with processes.
        tell: is told what was done; None writes to standard error.
        facts: goes into the header of the file.

    Raises:
        FileFormatError: where the file holds something else, or was made by other versions, or
            cannot be there.
        InputTypeError: where tasks are something else.
    """
    check_integer("processes", processes, low=1)
    if not all(isinstance(task, Task) for task in tasks):
        raise InputTypeError(
            "tasks must be what plan() makes. Use plan(experiment, config, setup)."
        )
    tell = tell or progress
    order = {task.identity(): place for place, task in enumerate(tasks)}
    file = None if path is None else _place(path)
    head = header(**(facts or {}))
    done = {} if file is None else _begun(file, head)
    found = {name: lines for name, lines in done.items() if name in order}
    missing = [tasks[place] for name, place in order.items() if name not in found]
    for count, (task, lines) in enumerate(_work(missing, processes), 1):
        found[task.identity()] = lines
        if file is not None:
            with file.open("a", encoding="utf-8") as out:
                out.write(lines_of(lines))
        tell(f"[{count}/{len(missing)}] {task.title()}")
    tell("")
    records = [line for name in order for line in found[name]]
    if file is not None:
        others = [line for name, lines in done.items() if name not in order for line in lines]
        write(file, head, [*records, *others])
    return records


def _place(path: "str | Path") -> Path:
    """Where a file of records is, or can be made."""
    file = Path(path)
    if file.is_dir() or not file.parent.is_dir():
        raise FileFormatError(
            f"path must be a file in a folder that is there, but is {say(str(path))}. "
            "Name a file, and make its folder first."
        )
    return file


def progress(text: str) -> None:
    """One line on standard error; overwritten by the next one on a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch: sums come out alike on every machine, small products gain nothing."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _work(tasks: Sequence[Task], processes: int) -> Iterator[tuple[Task, list[Record]]]:
    """Tasks and their records, as they are done."""
    if processes < 2 or len(tasks) < 2:
        yield from ((task, task.run()) for task in tasks)
        return
    _check_sendable(tasks)
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(min(processes, len(tasks)), mp_context=context) as pool:
        waiting = {pool.submit(task.run): task for task in tasks}
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        except BaseException:
            for worker in set(multiprocessing.active_children()) - others:
                worker.terminate()  # what it works on is lost either way, and nobody waits for it
            # The pool's own thread joins them: of two that do, one would find nobody to wait for.
            pool.shutdown(cancel_futures=True)
            raise


def _check_sendable(tasks: Sequence[Task]) -> None:
    """Ask before a process is started: a pool told of it only by a thread of its own is too late.

    Where the pool's processes have ended meanwhile, for another reason, that thread itself fails.
    """
    parts = [part for task in tasks for part in (task.experiment, task.config, task.setup)]
    for part in {id(part): part for part in parts}.values():
        try:
            ForkingPickler.dumps(part)
        except Exception as error:  # it raises whatever the object's own methods raise
            raise OptionError(
                f"with processes > 1 what a Setup is made of must be picklable: {error}. "
                "Define functions at the top level of a module instead of lambdas, "
                "or say processes=1."
            ) from None


def _begun(file: Path, head: Record) -> dict[str, list[Record]]:
    """The complete tasks of a file, which is made with its header where there is none."""
    if not file.exists():
        write(file, head, [])
        return {}
    _drop_torn_line(file)
    before, lines = read(file)
    other = [name for name in SAME if before.get(name) != head[name]]
    if other:
        raise FileFormatError(
            f"{file} was begun with {', '.join(f'{name} {before.get(name)}' for name in other)}, "
            f"but here is {', '.join(f'{name} {head[name]}' for name in other)}. "
            "Give another path, or remove the file."
        )
    by_task: dict[str, list[Record]] = {}
    for line in lines:
        if "task" in line:
            by_task.setdefault(line["task"], []).append(line)
    return {name: made for name, made in by_task.items() if len(made) == made[0]["lines"]}


def _drop_torn_line(file: Path) -> None:
    """Cut off what an interrupted write left after the last whole line."""
    content = file.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole and whole != content:
        with file.open("r+b") as out:
            out.truncate(len(whole))
