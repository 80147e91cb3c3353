"""Change one operator or number of the library at a time, and see whether a test notices.

    python tests/support/mutants.py [--sample 400] [--seed 0] [--rooms separation readout ...]

Tests run once, and each function remembers which of them call it. Then every mutant is a forked
process of one thread whose code has one change; it runs the tests of that function, quickest first,
until one fails. Prints the share of mutants that a test notices, and those that none does.
"""

import argparse
import ast
import copy
import importlib
import inspect
import json
import os
import random
import signal
import sys
import time
from bisect import bisect
from collections import Counter
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from types import CodeType, FunctionType
from typing import NamedTuple

os.environ["OMP_NUM_THREADS"] = "1"  # a process forked after OpenMP has started may hang

import pytest
import torch

SOURCE = Path(__file__).resolve().parents[2] / "src"
ROOMS = ("separation", "readout", "iteration", "similarity", "units", "coupling", "memories")
TESTS = ("contract", "oracle", "inputs", "tools/test_io.py")
OTHERS = ("diagnosis", "tuning", "explain", "synthetic", "corruption", "metrics", "theory")
SECONDS = 20.0  # of tests, measured without a mutant, for each of them
PAIRS = "Lt LtE, Gt GtE, Eq NotEq, Is IsNot, In NotIn, Add Sub, Mult Div, BitAnd BitOr, And Or"
SWAPS: dict[type, type] = {ast.Pow: ast.Mult, ast.FloorDiv: ast.Mult}
for pair in PAIRS.split(", "):
    one, other = (getattr(ast, name) for name in pair.split())
    SWAPS |= {one: other, other: one}


class Mutant(NamedTuple):
    """One change: the file, the function as (class, name), its node's number and the new text."""

    path: Path
    owner: tuple[str, ...]
    node: int
    line: int
    before: str
    after: str

    def described(self) -> str:
        """Return its place and the change."""
        where = f"{self.path.relative_to(SOURCE.parent)}:{self.line}"
        return f"{where} {self.before!r} -> {self.after!r}"


def changed(node: ast.AST) -> ast.AST | None:
    """Return the node with its operator or number changed, or None for other nodes."""
    new = copy.copy(node)
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        new.ops = [SWAPS[type(node.ops[0])](), *node.ops[1:]]
    elif isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp) and type(node.op) in SWAPS:
        new.op = SWAPS[type(node.op)]()
    elif isinstance(node, ast.UnaryOp) and not isinstance(node.operand, ast.Constant):
        return node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        new.value = not node.value
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        new.value = node.value + 1
    elif isinstance(node, ast.IfExp | ast.If):
        new.test = ast.UnaryOp(ast.Not(), node.test)
    elif isinstance(node, ast.Break):
        return ast.Continue(lineno=node.lineno, col_offset=node.col_offset)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return ast.Pass(lineno=node.lineno, col_offset=node.col_offset)
    else:
        return None
    return new


def skipped(node: ast.AST) -> bool:
    """True for messages and `__repr__`, in which nothing is changed."""
    raising = isinstance(node, ast.Raise | ast.JoinedStr | ast.Assert)
    return raising or (isinstance(node, ast.FunctionDef) and node.name == "__repr__")


def inside(function: ast.AST) -> list[ast.AST]:
    """The nodes of a function's body in a fixed order."""
    found, waiting = [], list(reversed(function.body))
    while waiting:
        node = waiting.pop()
        if not skipped(node):
            found.append(node)
            fields = [value for name, value in ast.iter_fields(node) if name != "annotation"]
            below = [x for f in fields for x in (f if isinstance(f, list) else [f])]
            waiting += [x for x in reversed(below) if isinstance(x, ast.AST)]
    return found


def functions(tree: ast.AST, above: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], ast.AST]]:
    """The functions of a module and of its classes, by name."""
    found = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found += functions(node, (*above, node.name))
        elif isinstance(node, ast.FunctionDef) and not skipped(node):
            found.append(((*above, node.name), node))
    return found


def mutants(path: Path) -> list[Mutant]:
    """Every mutant of a file."""
    return [
        Mutant(path, owner, at, node.lineno, *(ast.unparse(x).split("\n")[0] for x in (node, new)))
        for owner, function in functions(ast.parse(path.read_text("utf-8")))
        for at, node in enumerate(inside(function))
        if (new := changed(node)) is not None
    ]


def mutated(mutant: Mutant) -> CodeType:
    """Compile the file with one node changed, and return the code of the function around it."""
    tree = ast.parse(mutant.path.read_text("utf-8"))
    function = dict(functions(tree))[mutant.owner]
    old = inside(function)[mutant.node]
    new = ast.copy_location(changed(old), old)

    class Put(ast.NodeTransformer):
        def visit(self, node):
            return new if node is old else self.generic_visit(node)

    code = compile(ast.fix_missing_locations(Put().visit(tree)), str(mutant.path), "exec")
    for name in mutant.owner:
        inner = [each for each in code.co_consts if isinstance(each, CodeType)]
        code = [each for each in inner if each.co_name == name][-1]
    return code


def live(path: Path, owner: tuple[str, ...]) -> FunctionType:
    """The function that runs, below its decorators."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    found = importlib.import_module(".".join(parts[: -1 if parts[-1] == "__init__" else None]))
    for name in owner:
        found = inspect.getattr_static(found, name)
    while not (isinstance(found, FunctionType) and not hasattr(found, "__wrapped__")):
        inner = [getattr(found, n, None) for n in ("__wrapped__", "fget", "__func__", "func")]
        found = next(each for each in inner if each is not None)
    return found


class Mutation:
    """A pytest plugin that runs the tests once to learn who calls what, and then the mutants."""

    def __init__(self, chosen: list[Mutant], limit: float) -> None:
        """Run these mutants, each against tests that take `limit` seconds."""
        self.limit = limit
        self.chosen, self.calls, self.seconds = chosen, {}, {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of running the tests."""
        torch.set_num_threads(1)
        self.items = {item.nodeid: item for item in session.items}
        self._in_a_process_of_its_own(self._learn)
        results = Counter()
        running: dict[int, tuple[Mutant, float]] = {}
        for mutant in [*self.chosen, None]:
            while len(running) >= (2 if mutant else 1):
                self._await(running, results)
            if mutant:
                running[self._start(mutant)] = (mutant, time.monotonic())
        noticed, total = results.total() - results["survives"], max(results.total(), 1)
        print(f"{noticed} of {total} mutants noticed, {100 * noticed / total:.0f} % "
              f"({results['never ends']} never end)")  # fmt: skip
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what went wrong."""
        if report.failed:
            self.failures.append(report.longreprtext)

    def _failure(self, item: pytest.Item) -> str:
        """Run a test; what went wrong, or nothing."""
        self.failures = []
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        return "".join(self.failures)

    def _in_a_process_of_its_own(self, learn: Callable[[], None]) -> None:
        """Tests start threads, after which this process could not fork."""
        reading, writing = os.pipe()
        if os.fork() == 0:
            try:
                learn()
                told = json.dumps([self.seconds, list(self.calls.items())])
            except pytest.UsageError as error:
                told = json.dumps(str(error))
            with os.fdopen(writing, "w") as end:
                end.write(told)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as end:
            learned = json.loads(end.read())
        os.wait()
        if isinstance(learned, str):
            raise pytest.UsageError(learned)
        self.seconds = learned[0]
        self.calls = {tuple(function): names for function, names in learned[1]}

    def _learn(self) -> None:
        files = {str(mutant.path) for mutant in self.chosen}
        called = set()

        def note(frame, *_):  # at each call; None: no event for each line
            if frame.f_code.co_filename in files:
                called.add((frame.f_code.co_filename, frame.f_code.co_name))

        for name, item in self.items.items():
            called.clear()
            start = time.process_time()
            sys.settrace(note)
            failure = self._failure(item)
            sys.settrace(None)
            if failure:
                raise pytest.UsageError(f"{name} fails without a mutant: {failure[-2000:]}")
            self.seconds[name] = time.process_time() - start
            for each in called:
                self.calls.setdefault(each, []).append(name)

    def _tests(self, mutant: Mutant) -> list[pytest.Item]:
        # The quickest, such as those of bad inputs, for half of the time; a sample for the rest.
        names = sorted(
            self.calls.get((str(mutant.path), mutant.owner[-1]), []), key=self.seconds.get
        )
        total = list(accumulate(map(self.seconds.get, names)))
        quick = bisect(total, self.limit / 2)
        others = names[quick:]
        random.Random(0).shuffle(others)
        left, taken = self.limit / 2, names[:quick]
        for name in others:
            left -= self.seconds[name]
            taken += [name] if left > 0 else []
        return [self.items[name] for name in taken]

    def _start(self, mutant: Mutant) -> int:
        sys.stdout.flush()
        child = os.fork()
        if child:
            return child
        status = 2
        try:
            signal.alarm(int(4 * self.limit))  # one that never ends is noticed
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            live(mutant.path, mutant.owner).__code__ = mutated(mutant)
            status = 1 if any(map(self._failure, self._tests(mutant))) else 0
        finally:
            os._exit(status)

    def _await(self, running: dict[int, tuple[Mutant, float]], results: Counter) -> None:
        child, status = os.wait()
        if child not in running:
            return
        mutant, start = running.pop(child)
        code = os.waitstatus_to_exitcode(status)
        word = {0: "survives", 1: "noticed", 2: "no mutant"}.get(code, "never ends")
        results.update([word] if word != "no mutant" else [])
        if word != "noticed":
            print(f"{word}: {mutant.described()} ({time.monotonic() - start:.1f} s)", flush=True)


def main() -> None:
    """Draw the sample and run it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sample", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rooms", nargs="*", default=ROOMS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of tests for each mutant")
    parser.add_argument(
        "--again", help="a file of what an earlier run printed: those that survived"
    )
    parser.add_argument("--tests", nargs="*", default=TESTS)
    chosen = parser.parse_args()
    top = SOURCE / "hopfield"
    files = [
        path
        for room in chosen.rooms
        for path in sorted([*(top / room).rglob("*.py"), *top.glob(f"{room}.py")])
    ]
    every = [mutant for path in files for mutant in mutants(path)]
    sample = random.Random(chosen.seed).sample(every, min(chosen.sample, len(every)))
    if chosen.again:
        printed = Path(chosen.again).read_text("utf-8")
        sample = [mutant for mutant in sample if f"survives: {mutant.described()} (" in printed]
    print(f"{len(sample)} of {len(every)} mutants of {len(files)} files")
    tests = [str(SOURCE.parent / "tests" / name) for name in chosen.tests]
    arguments = ["-o", "addopts=", "-p", "no:cacheprovider", "-p", "no:terminal", *tests]
    arguments += [f"--ignore-glob=*test_{name}*" for name in OTHERS]
    sys.exit(pytest.main(arguments, plugins=[Mutation(sample, chosen.seconds)]))


if __name__ == "__main__":
    main()
