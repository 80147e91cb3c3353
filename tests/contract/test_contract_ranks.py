"""The contract of memories whose rows are shared among processes.

`SHARE=1 python -m pytest -m heavy tests/contract/test_contract_ranks.py` runs all of it, which
takes half an hour; `make heavy` another sample for each number of ranks.
"""

import os
from pathlib import Path

import pytest

from rank_stores import finish_ranks, start_ranks

CASES = Path(__file__).with_name("rank_cases.py")


def _run(world, folder, *options):
    command = ("-m", "pytest", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *options)
    for printed in finish_ranks(start_ranks(world, folder, *command, str(CASES)), 7200):
        assert " passed" in printed


def test_a_sample_of_the_contract_holds_on_two_ranks(tmp_path, monkeypatch):
    monkeypatch.setenv("SHARE", "128")
    _run(2, tmp_path)


@pytest.mark.heavy
@pytest.mark.parametrize(("world", "share"), [(2, 3), (3, 4), (4, 5)])
def test_the_contract_holds_on_ranks(world, share, tmp_path, monkeypatch):
    monkeypatch.setenv("SHARE", os.environ.get("SHARE", str(share)))
    _run(world, tmp_path)
