"""Run experiments, in several processes if asked, and write each record as soon as it is measured.

A task is one experiment with one config and one setup. Its records contain its identity, so that a
second run on the same file measures only new or changed tasks. At the end the records are sorted in
the order of the tasks: the same tasks give the same file for any number of processes.
"""

import itertools
import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from functools import cached_property, partial
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import torch

from ..checks import check_integer, short_repr
from ..errors import FileFormatError, InputTypeError, OptionError
from ..files import expanded
from ..overrides import check_takes
from ..typed import typed
from .identity import UncomparableError, fingerprint
from .records import Record, check_config, header, read, to_json_lines, to_json_value, write
from .setup import Setup, check_callable, name_of

MUST_MATCH = ("hopfield", "code", "torch", "numpy", "python")
"""Fields of the header that must be equal for a run to continue a file."""
SINGLE_USE = "once"
"""Text in the place of a checksum, for a task that cannot be compared and is always run again."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Task:
    """One experiment to run, with its config and its setup.

    Args:
        experiment: a function `experiment(config, setup)` that returns one record or several.
        config: a frozen dataclass of plain values, one of which is the seed.
        setup: a `Setup`, or any object with `facts()`.
        tags: further fields, which are put first in every record.
    """

    experiment: Callable[[Any, Any], Any]
    config: Any
    setup: Any
    tags: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def identity(self) -> str:
        """Two checksums: of the description, and of the code and values that determine the records.

        The second is "once" if a part of the task cannot be compared with that of an earlier run.
        """
        parts = (self.experiment, self.config, self.setup, dict(self.tags))
        try:
            return f"{fingerprint(self.description)}-{fingerprint(parts)}"
        except UncomparableError:
            return f"{fingerprint(self.description)}-{SINGLE_USE}"

    @property
    def description(self) -> str:
        """The fields that distinguish the records of this task from those of others, as JSON."""
        config = {name: to_json_value(value) for name, value in asdict(self.config).items()}
        facts = {"does": name_of(self.experiment), **self.setup.facts(), **config, **self.tags}
        return json.dumps(facts, sort_keys=True, ensure_ascii=False, default=repr)

    def title(self) -> str:
        """Return the line of text that is shown when the task is done."""
        facts = self.setup.facts()
        parameters = {name: facts[name] for name in facts.get("parameters", ())}
        values = (f"{name}={value}" for name, value in (parameters | asdict(self.config)).items())
        return f"{name_of(self.experiment)}: {facts.get('case', '')}, {', '.join(values)}"

    def run(self) -> list[Record]:
        """Run the task, and return its records, marked with its identity and their number."""
        with single_thread():
            result = self.experiment(self.config, self.setup)
            lines = _checked_records(name_of(self.experiment), result)
        marks = {"task": self.identity, "lines": len(lines)}
        return [{**self.tags, **line, **marks} for line in lines]


def _checked_records(experiment: str, result: Any) -> list[Record]:
    several = isinstance(result, Iterable) and not isinstance(result, (Mapping, torch.Tensor))
    lines = list(result) if several else [result]
    for line in lines:
        if not isinstance(line, Mapping) or not isinstance(line.get("experiment"), str):
            raise InputTypeError(
                f"{experiment} must return a record or several, with a field 'experiment', but "
                f"returned {short_repr(line)}. Build each by record(name, setup, config, …)."
            )
        for name, value in line.items():
            try:
                to_json_lines([{name: value}])
            except (TypeError, ValueError) as error:
                raise InputTypeError(
                    f"field {name!r} of a record of {experiment} must be text, a finite number, "
                    f"True, False, None or a list of these, but is {short_repr(value)}: {error}."
                ) from None
    return lines


def sweep(config: Any, **axes: Iterable[Any]) -> list[Any]:
    """Return the config with each combination of values: `sweep(Recall(), n=[5, 10], seed=[0, 1])`.

    Of a `Setup`, the values are arguments of `make`: `sweep(Setup("mine", Mine), beta=[1, 2])`.

    Raises:
        OptionError: for a name that the config lacks.
    """
    if isinstance(config, Setup):
        makes = [partial(config.make, **values) for values in _combinations(axes)]
        return [replace(config, make=make) for make in makes]
    names = [each.name for each in fields(check_config(config))]
    unknown = sorted(set(axes) - set(names))
    if unknown:
        raise OptionError(
            f"{type(config).__name__} has no {', '.join(unknown)}. It has {', '.join(names)}."
        )
    return [replace(config, **values) for values in _combinations(axes)]


def _combinations(axes: Mapping[str, Iterable[Any]]) -> list[dict[str, Any]]:
    combinations = itertools.product(*axes.values())
    return [dict(zip(axes, each, strict=True)) for each in combinations]


def plan(
    experiment: Callable[[Any, Any], Any], configs: Any, setups: Any, **tags: str
) -> list[Task]:
    """Return one task for every pair of a setup and a config; either may be a list.

    Raises:
        InputTypeError: where an argument is something else.
    """
    check_callable("experiment", experiment, "recall")
    check_takes(f"experiment {name_of(experiment)}", experiment, ("config", "setup"))
    all_configs = _as_list("configs", configs, "config such as Recall()", is_dataclass)
    all_setups = _as_list("setups", setups, "Setup", lambda each: hasattr(each, "facts"))
    return [Task(experiment, config, setup, tags) for setup in all_setups for config in all_configs]


def _as_list(name: str, value: Any, what: str, is_one: Callable[[Any], bool]) -> list[Any]:
    is_list = isinstance(value, Iterable) and not isinstance(value, torch.Tensor)
    values = list(value) if is_list and not is_one(value) else [value]
    wrong = [each for each in values if isinstance(each, type) or not is_one(each)]
    if wrong:
        raise InputTypeError(
            f"{name} must be a {what}, or a list of them, but there is {short_repr(wrong[0])}. "
            f"Give a {what}."
        )
    return values


def run(
    tasks: Sequence[Task],
    path: str | Path | None = None,
    *,
    processes: int = 1,
    progress: Progress | None = None,
    facts: Mapping[str, Any] | None = None,
) -> list[Record]:
    """Run all tasks and return their records, in the order of the tasks.

    Args:
        tasks: as returned by `plan`.
        path: file of records. Tasks whose records it holds are not run again, unless the setup, the
            config, or code that they use has changed. None writes no file.
        processes: processes at work at the same time, each on one thread. Start more than one under
            `if __name__ == "__main__":`, as Python requires of every script with processes.
        progress: called with a line of text after each task; None writes to standard error.
        facts: further fields of the file's header.

    Raises:
        FileFormatError: where the file holds something else, was made by other versions, or cannot
            be made.
        InputTypeError: where tasks are something else.
        OptionError: where records could not distinguish two tasks, or a task cannot be sent to
            another process.
    """
    check_integer("processes", processes, low=1)
    _check_tasks(tasks)
    progress = show_progress if progress is None else progress
    check_callable("progress", progress, "print")
    if facts is not None and not isinstance(facts, Mapping):
        raise InputTypeError(f"facts must be a mapping of fields, but is {short_repr(facts)}.")
    file = None if path is None else _check_path(path)
    head = header(**(facts or {}))
    earlier = {} if file is None else _read_or_create(file, head)
    done = {task.identity: earlier.pop(task.identity) for task in tasks
            if task.identity in earlier and not task.identity.endswith(SINGLE_USE)}  # fmt: skip
    missing = [task for task in tasks if task.identity not in done]
    renewed = {task.identity.split("-")[0] for task in tasks}
    outdated = [name for name in earlier if name.split("-")[0] in renewed]
    if outdated:
        progress(f"{len(outdated)} tasks are run again: their code or values are not those of the "
                 "records, or cannot be compared.")  # fmt: skip
    for count, (task, lines) in enumerate(_results(missing, processes), 1):
        done[task.identity] = lines
        if file is not None:
            with file.open("a", encoding="utf-8") as out:
                out.write(to_json_lines(lines))
        progress(f"[{count}/{len(missing)}] {task.title()}")
    progress("")
    records = [line for task in tasks for line in done[task.identity]]
    if file is not None:
        others = [earlier[name] for name in earlier if name not in outdated]
        write(file, head, [*records, *(line for lines in others for line in lines)])
    return records


def _check_tasks(tasks: Sequence[Task]) -> None:
    if not isinstance(tasks, Sequence) or not all(isinstance(task, Task) for task in tasks):
        raise InputTypeError(
            "tasks must be what plan() makes. Use plan(experiment, config, setup)."
        )
    titles: dict[str, str] = {}
    for task in tasks:
        if task.description in titles:
            raise OptionError(
                "tasks must differ in experiment, name of the setup, config or tags, but two are "
                f"{task.title()!r}. Give their setups different names, or run one of them."
            )
        titles[task.description] = task.title()


def _check_path(path: "str | Path") -> Path:
    if not isinstance(path, (str, Path)):
        raise InputTypeError(f"path must be the name of a file, but is {short_repr(path)}.")
    file = expanded(path)
    if file.is_dir() or not file.parent.is_dir():
        raise FileFormatError(
            f"path must be a file in a folder that is there, but is {short_repr(str(path))}. "
            "Name a file, and make its folder first."
        )
    return file


@typed
def show_progress(text: str) -> None:
    """Write one line to standard error. On a terminal the next line replaces it."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)


@contextmanager
def single_thread() -> Iterator[None]:
    """Use one thread of torch: sums are then the same on every machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _results(tasks: Sequence[Task], processes: int) -> Iterator[tuple[Task, list[Record]]]:
    if processes < 2 or len(tasks) < 2:
        yield from ((task, task.run()) for task in tasks)
        return
    _check_picklable(tasks)
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(min(processes, len(tasks)), mp_context=context) as pool:
        waiting = {pool.submit(task.run): task for task in tasks}
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        except BaseException:
            for worker in set(multiprocessing.active_children()) - others:
                worker.terminate()  # its work is lost in any case, so do not wait for it
            # The pool's own thread joins them: a second one would find no process to wait for.
            pool.shutdown(cancel_futures=True)
            raise


def _check_picklable(tasks: Sequence[Task]) -> None:
    # The pool would report it from a thread of its own, which can itself fail by then.
    parts = [part for task in tasks for part in (task.experiment, task.config, task.setup)]
    for part in {id(part): part for part in parts}.values():
        try:
            ForkingPickler.dumps(part)
        except Exception as error:  # it raises whatever the object's own methods raise
            raise OptionError(
                f"with processes > 1 the parts of a Setup must be picklable: {error}. "
                "Define functions at the top level of a module instead of lambdas, "
                "or use processes=1."
            ) from None


def _read_or_create(file: Path, head: Record) -> dict[str, list[Record]]:
    """Return the records of each complete task by its identity."""
    if not file.exists():
        write(file, head, [])
        return {}
    _drop_incomplete_line(file)
    before, lines = read(file)
    other = [name for name in MUST_MATCH if before.get(name) != head[name]]
    if other:
        begun, here = (", ".join(f"{name} {x.get(name)}" for name in other) for x in (before, head))
        raise FileFormatError(
            f"{file} was begun with {begun}, but here is {here}. Give another path, or remove the "
            "file."
        )
    by_task: dict[str, list[Record]] = {}
    for line in lines:
        if "task" in line:
            by_task.setdefault(line["task"], []).append(line)
    return {name: lines for name, lines in by_task.items() if len(lines) == lines[0]["lines"]}


def _drop_incomplete_line(file: Path) -> None:
    length = file.read_bytes().rfind(b"\n") + 1
    if length:
        os.truncate(file, length)
