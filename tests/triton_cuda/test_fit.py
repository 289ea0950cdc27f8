"""What is said when a plan does not fit."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from backends.triton_cuda.blocks import bytes_of
from backends.triton_cuda.fit import addressable, does_not_fit, largest, readable
from backends.triton_cuda.launch import KernelPlan
from gendsl.diagnostics.model import GendslError
from tests.triton_cuda import toy


def plan_at(sizes: Mapping[str, int]) -> KernelPlan:
    return toy.plan(sizes["N"])


@pytest.mark.parametrize("free", [600, 5000, 10_000, 1_000_000])
def test_the_batch_that_is_named_fits_and_is_near_the_largest(free: int) -> None:
    found = largest(plan_at, {"N": 10_000}, "N", free)
    assert found is not None
    assert bytes_of(toy.plan(found)) <= free
    assert found == 10_000 or bytes_of(toy.plan(found * 9 // 8 + 16)) > free


def test_not_even_one_fits() -> None:
    assert largest(plan_at, {"N": 10_000}, "N", 100) is None


def test_the_error() -> None:
    plan = toy.plan(10_000)
    (said,) = does_not_fit(plan, plan_at, "N", 50_000).diagnostics
    assert said.code == "E0903"
    assert said.message.startswith("`step` takes 117.4 KiB of device memory (parameters and")
    assert "48.8 KiB are free" in said.message
    assert said.help is not None and said.help.startswith("a batch of 4,")
    (said,) = does_not_fit(plan, plan_at, None, 50_000).diagnostics
    assert said.help == "end other programs that use the device, or make the model smaller"


def test_more_entries_than_32_bits_number() -> None:
    addressable(toy.plan(2**31 - 1))
    with pytest.raises(GendslError, match="E0903") as caught:
        addressable(toy.plan(2**31))
    (said,) = caught.value.diagnostics
    assert "`x` of `step` has 2,147,483,648 entries" in said.message


def test_readable() -> None:
    assert [readable(n) for n in (12, 1536, 3 << 30)] == ["12 bytes", "1.5 KiB", "3.0 GiB"]
