"""Plant each known fault into a copy of the library, and see the tests that are there for it fail.

    python tests/faults.py             all faults; prints the table of tests/README.md
    python tests/faults.py storkey     those with this word in their name

A fault is a replacement of text. If the text is not found exactly once, the fault has to be written
anew: that is an error, as is a fault that no test catches, or a test that fails without a fault.
Nothing in the working tree is changed.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import faults_nn

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "hopfield"


class Fault(NamedTuple):
    """A fault, and the tests that must fail for it: each of them."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


FAULTS = [
    Fault(
        "self term kept in the asynchronous rule",
        "memories/classical.py",
        "learned if order is None else learned.bare",
        "learned",
        ("test_rules.py::test_an_asynchronous_sweep_by_rational_arithmetic",),
    ),
    Fault(
        "β outside the log",
        "separation/softmax.py",
        "_exponentials(scores, sharp, top.unsqueeze(-1), lean)",
        "_exponentials(scores, 1.0, top.unsqueeze(-1), lean)",
        (
            "test_separation.py::test_weights_are_the_gradient_of_the_potential",
            "test_separation.py::test_softmax_potential_for_every_beta",
            "test_contract_energy.py::test_an_update_is_a_unit_step_down_the_gradient",
        ),
    ),
    Fault(
        "½ dropped from the energy",
        "energy.py",
        "- potential, norm, norm, value=0.5)",
        "- potential, norm, norm, value=1.0)",
        (
            "test_energy.py::test_modern_energies_by_loops",
            "test_contract_energy.py::test_an_update_is_a_unit_step_down_the_gradient",
        ),
    ),
    Fault(
        "mask filled with 0 after the softmax",
        "separation/sparse.py",
        "        return (power / power.sum(-1, keepdim=True)).to(scores.dtype)\n",
        "        whole = (sharpness(self.beta, exact) * gap).exp().sum(-1, keepdim=True)\n"
        "        return (power / whole).to(scores.dtype)\n",
        (
            "test_separation.py::test_topk_is_the_best_of_all_subsets",
            "test_separation.py::test_potentials_of_equal_scores_are_that_score",
        ),
    ),
    Fault(
        "convergence decided for the whole batch",
        "dynamics.py",
        "        arrived = settled(state, reading.next)\n",
        "        arrived = settled(state, reading.next).all().expand(len(state))\n",
        ("test_contract.py::test_a_query_does_not_depend_on_its_batch",),
    ),
    Fault(
        "in-place change of the cue",
        "dynamics.py",
        'told | {"state": state.clone()}',
        "told",
        ("test_contract.py::test_inputs_are_left_alone",),
    ),
    Fault(
        "global random state used",
        "memories/options.py",
        "order = torch.randperm(dim, generator=generator, device=generator.device)",
        "order = torch.randperm(dim)",
        (
            "test_contract.py::test_the_same_generator_gives_the_same_bits",
            "test_contract.py::test_one_order_serves_the_whole_batch",
        ),
    ),
    Fault(
        "Storkey without its correction",
        "rules.py",
        "a[k] = power[k] * first[k] + by_x @ rows[:k] - by_a @ a[:k] - inner * x",
        "a[k] = 0.0",
        ("test_rules.py::test_coupling_by_rational_arithmetic",),
    ),
    Fault(
        "Storkey's sums over k = i or j too",
        "rules.py",
        "growth = 1 + 2 / size",
        "growth = 1.0",
        ("test_rules.py::test_coupling_by_rational_arithmetic",),
    ),
    Fault(
        "top-k with 0 outside",
        "separation/sparse.py",
        "power = torch.where(above | tied, power, 0.0)",
        "outside = (-sharpness(self.beta, scores) * scores.amax(-1, keepdim=True)).exp()\n"
        "        power = torch.where(above | tied, power, outside)",
        (
            "test_separation.py::test_topk_is_the_best_of_all_subsets",
            "test_separation.py::test_sparse_weights_are_exactly_zero_below_the_threshold",
        ),
    ),
    Fault(
        "ties to +1",
        "units.py",
        "torch.where(field.abs() <= slack, present, field.sign())",
        "torch.where(field.abs() <= slack, 1.0, field.sign())",
        (
            "test_rules.py::test_a_tie_keeps_the_present_value",
            "test_dense_exact.py::test_where_all_counts_cancel_the_present_value_stays",
        ),
    ),
    Fault(
        "ties to +1, in the kernel",
        "kernels/classical.py",
        "return -one if field < -slack else present",
        "return -one if field < -slack else one",
        ("test_rules.py::test_a_tie_keeps_the_present_value",),
    ),
    Fault(
        "unknown counted as evidence, in binary networks",
        "memories/query.py",
        "state = torch.where(known, state, 0.0)",
        "state = torch.where(known, state, 1.0)",
        (
            "test_contract_masks.py::test_an_unknown_unit_adds_nothing_to_a_field",
            "test_contract_masks.py::test_a_zero_in_the_cue_is_an_unknown_entry",
            "test_contract_masks.py::"
            "test_half_known_digits_are_recalled_only_if_the_unknown_half_does_not_count",
        ),
    ),
    Fault(
        "unknown counted as evidence, in continuous networks",
        "similarity.py",
        "return block.squares(known.to(state.dtype))",
        "return block.squares(None)",
        (
            "test_similarity.py::test_scores_by_loops",
            "test_contract_masks.py::test_only_known_entries_are_evidence",
            "test_energy.py::test_masked_energies_by_loops",
        ),
    ),
    Fault(
        "tanh in float32",
        "units.py",
        "sub_(state, alpha=math.tanh(beta))",
        "sub_(state, alpha=float(torch.tensor(beta, dtype=torch.float32).tanh()))",
        ("test_dense_exact.py::test_the_best_scores_tie_and_lower_ones_decide",),
    ),
    *(Fault(*one) for one in faults_nn.FAULTS),
    Fault(
        "the model of a diagnosis leaves out the many weak rivals",
        "diagnosis/reduced.py",
        "rivals.shape[-1] == rows.count:",
        "rivals.shape[-1] <= rows.count:",
        ("test_diagnosis.py::test_predictions_hold_on_99_percent_of_patterns",),
    ),
    Fault(
        "a basin is proved by the margin alone, without the distance",
        "diagnosis/modern.py",
        "beta * (far[:, :, None] * radius[:, None] - near[:, :, None])",
        "beta * (-near[:, :, None] + 0 * radius[:, None])",
        ("test_diagnosis.py::test_states_within_the_proved_radius_end_at_the_pattern",),
    ),
    Fault(
        "flips are bounded as if they changed overlaps by one",
        "diagnosis/binary.py",
        "room = (dim - 2 +",
        "room = 2 * (dim - 2 +",
        ("test_diagnosis.py::test_flips_that_hurt_most_bound_the_radius",),
    ),
    Fault(
        "tuning takes the cues that are held back for choosing",
        "tuning/__init__.py",
        "share = back(likely[0], fresh)",
        "share = back(likely[0], batch)",
        ("test_tuning.py::test_held_back_cues_have_no_part_in_the_choice",),
    ),
    Fault(
        "errors of differences as if they were not paired",
        "tuning/__init__.py",
        "_error(behind, other / cues, cues)",
        "_error(counts[best] / cues, counts[best] / cues, cues) + _error(share, share, cues)",
        ("test_tuning.py::test_the_standard_errors_are_of_paired_differences",),
    ),
    Fault(
        "a sheet takes all reports of a file for one",
        "plots/files.py",
        "in HEADS:",
        "in HEADS[:0]:",
        ("test_plots_advice.py::test_a_sheet_draws_every_report_once",),
    ),
    Fault(
        "of tuning only the first curves are drawn",
        "plots/advice.py",
        "    for case in cases:\n        mine",
        "    for case in cases[:4]:\n        mine",
        ("test_plots_advice.py::test_every_curve_of_tuning_is_drawn_and_told_apart",),
    ),
]


def with_fault(package: Path, fault: Fault) -> str:
    """The text of the file with the fault."""
    text = (package / fault.file).read_text(encoding="utf-8")
    if text.count(fault.old) != 1:
        sys.exit(
            f"{fault.name}: the text to replace must be in {fault.file} once, "
            f"but is there {text.count(fault.old)} times:\n{fault.old}"
        )
    return text.replace(fault.old, fault.new)


def failing(copy: Path, tests: list[str]) -> set[str]:
    """The tests, without their parameters, that fail against the package in `copy`."""
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    where = [sys.executable, "-c", "import hopfield; print(hopfield.__file__)"]
    loaded = subprocess.run(where, env=environment, capture_output=True, text=True, cwd=copy)
    if not loaded.stdout.startswith(str(copy)):
        sys.exit(f"the copy was not loaded, but {loaded.stdout}{loaded.stderr}")
    options = ["-n0", "-q", "-p", "no:cacheprovider", "-o", "addopts=", "-rfE", "--tb=no"]
    names = [f"tests/{test}" for test in tests]
    run = [sys.executable, "-m", "pytest", *options, *names]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, cwd=ROOT)
    if done.returncode not in (0, 1):
        sys.exit(f"pytest could not run these tests:\n{done.stdout}{done.stderr}")
    return set(re.findall(r"^(?:FAILED|ERROR) tests/([\w.]+::\w+)", done.stdout, re.MULTILINE))


def copied(package: Path, folder: str) -> Path:
    """A copy of the package in this folder."""
    copy = Path(folder) / "hopfield"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def main(words: list[str]) -> int:
    """Plant the faults that the words choose; 0 if each is caught by every test named for it."""
    chosen = [f for f in FAULTS if all(word.lower() in f.name.lower() for word in words)]
    if not chosen:
        sys.exit(f"no fault has {' '.join(words)} in its name.")
    for fault in chosen:
        with_fault(PACKAGE, fault)  # whether all can be planted, before the first is
    named = sorted({test for fault in chosen for test in fault.tests})
    with tempfile.TemporaryDirectory() as first:
        sound = copied(PACKAGE, first)  # once: the tree may change meanwhile
        if broken := failing(Path(first), named):
            sys.exit(f"without a fault, these tests must pass: {', '.join(sorted(broken))}")
        print(f"{len(named)} tests pass without a fault.\n", file=sys.stderr)
        print("| planted fault | caught by |\n|---|---|", flush=True)
        return 1 if sum(not caught(sound, fault) for fault in chosen) else 0


def caught(sound: Path, fault: Fault) -> bool:
    """Whether each test named for the fault fails for it; prints a row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        package = copied(sound, folder)
        (package / fault.file).write_text(with_fault(sound, fault), encoding="utf-8")
        found = failing(Path(folder), list(fault.tests))
    said = [f"`{test}`" if test in found else f"NOT BY `{test}`" for test in fault.tests]
    print(f"| {fault.name} | {', '.join(said)} |", flush=True)
    return len(found) == len(fault.tests)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
