"""Storkey's rule of many more patterns than units, of which W overflows."""

import warnings

import pytest
import torch

from cases import seeded, signs
from hopfield import ClassicalHopfield, rules
from hopfield.errors import CapacityWarning, DomainError
from hopfield.stores import DiskStore, RamStore


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_storkey_that_overflows_is_refused_by_name(dtype, tmp_path):
    rows = signs(8000, 16, generator=seeded(3)).to(dtype)
    with pytest.raises(DomainError, match=r"multiplies it by 1 [+] 2/16, and it overflows"):
        rules.storkey(rows)
    for store in (RamStore(), DiskStore(tmp_path / "t.lance")):
        memory = ClassicalHopfield("storkey", store=store)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            memory.store(rows[:16])
        with pytest.warns(CapacityWarning, match="17 patterns exceed 16, the units") as found:
            memory.store(rows[16:17])
            memory.store(rows[17:])
        assert len(found) == 1
        with pytest.raises(DomainError, match=r"overflows in .* Store fewer than 16"):
            memory.retrieve(rows[0])
