"""Bad calls of every public function, by chance: named errors or right results, nothing else."""

import warnings

import pytest
import torch

import bad_calls
import hopfield
from bad_inputs import as_users_see_it
from hopfield.errors import InputTypeError


def test_bad_calls_end_in_named_errors_or_right_results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some of them write files
    with torch.random.fork_rng(), as_users_see_it():
        counts, findings = bad_calls.run(500, seed=12)
    assert not findings, "\n".join(f"{kind}: {each[0].call}" for kind, each in findings.items())
    assert counts["refused"] > 250 and counts["answered"] > 20, "premise: calls are bad, some right"


def test_every_public_name_is_called():
    """The list finds all modules and classes: functions of each, and methods of their objects."""
    names = {function.name for function in bad_calls.public_functions()}
    assert len(names) > 150
    for name in ("tune", "attention", "energy.modern", "rules.coupling", "theory.sphere_tail",
                 "ClassicalHopfield.store", "nn.HopfieldLookup.forward",
                 "experiments.run", "Entmax.potential", "data.Dataset.binary"):  # fmt: skip
        assert name in names


@pytest.mark.parametrize(
    ("call", "kind"),
    [(lambda rows: rows.nope, "AttributeError"), (lambda rows: warnings.warn("x", stacklevel=1),
                                                   "UserWarning"),
     (lambda rows: torch.full((2,), torch.nan), "NaN from planted")],
    ids=["an unnamed error", "a warning", "NaN"],
)  # fmt: skip
def test_planted_faults_are_found(call, kind, monkeypatch):
    monkeypatch.setattr(bad_calls, "NASTY", {"rows": lambda: bad_calls.ROWS})
    function = bad_calls.Function("planted", lambda rows: call(rows))
    finding = bad_calls.try_call(function, bad_calls.random.Random(0))
    assert isinstance(finding, bad_calls.Finding) and kind in finding.kind


def test_arguments_of_plain_data_are_named_by_their_annotations():
    experiments = hopfield.experiments
    with pytest.raises(InputTypeError, match=r"setup must be .*Setup, but is 7\.$"):
        experiments.recall(experiments.Recall(), 7)
