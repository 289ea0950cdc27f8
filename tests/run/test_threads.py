"""Waiting threads sleep soon, unless the user has said how they wait."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PRINT = "import backends.torch_cpu, os, sys; assert 'torch' not in sys.modules; "


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "2000"),
        ({"GOMP_SPINCOUNT": "7"}, "7"),
        ({"OMP_WAIT_POLICY": "active"}, "None"),
    ],
)
def test_how_long_threads_spin(given: dict[str, str], expected: str) -> None:
    """Set before PyTorch is loaded, when libgomp reads it."""
    taken = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    environment = {k: v for k, v in os.environ.items() if k not in taken} | given
    text = PRINT + "print(os.environ.get('GOMP_SPINCOUNT'))"
    found = subprocess.run(
        [sys.executable, "-c", text], env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == expected
