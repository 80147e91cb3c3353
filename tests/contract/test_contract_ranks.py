"""The contract of memories whose rows are shared among processes."""

from pathlib import Path

import pytest

from rank_stores import finish_ranks, start_ranks

CASES = Path(__file__).with_name("rank_cases.py")


def _run(world, folder, *options):
    command = ("-m", "pytest", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *options)
    for printed in finish_ranks(start_ranks(world, folder, *command, str(CASES)), 3600):
        assert " passed" in printed


def test_a_sample_of_the_contract_holds_on_two_ranks(tmp_path):
    _run(2, tmp_path, "-m", "not heavy")


@pytest.mark.heavy
@pytest.mark.parametrize("world", [2, 3, 4])
def test_the_contract_holds_on_ranks(world, tmp_path):
    _run(world, tmp_path)
