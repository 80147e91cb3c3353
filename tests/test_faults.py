"""The planted faults fit the source, name tests that exist, and stand in README.md."""

import re
from pathlib import Path

import pytest

from faults import FAULTS, PACKAGE, Fault, with_fault

HERE = Path(__file__).parent


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_can_be_planted_and_its_tests_exist(fault: Fault):
    assert with_fault(PACKAGE, fault) != (PACKAGE / fault.file).read_text(encoding="utf-8")
    for test in fault.tests:
        file, name = test.split("::")
        assert re.search(rf"^def {name}\(", (HERE / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_the_table_of_the_readme_is_that_of_the_faults():
    table = [
        f"| {fault.name} | {', '.join(f'`{test}`' for test in fault.tests)} |" for fault in FAULTS
    ]
    page = (HERE / "README.md").read_text(encoding="utf-8").splitlines()
    assert page[-len(table) :] == table
