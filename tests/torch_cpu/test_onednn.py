"""Products by oneDNN: the same numbers in every layout and by either way, never fewer bits."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from backends.torch_cpu import onednn  # noqa: E402

LAYOUTS = [(a, b) for a in (False, True) for b in (False, True)]


def _matrix(rows: int, columns: int, turned: bool, seed: int):  # type: ignore[no-untyped-def]
    made = torch.Generator().manual_seed(seed)
    if turned:
        return torch.randn(columns, rows, generator=made).t()
    return torch.randn(rows, columns, generator=made)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(("left", "right"), LAYOUTS)
def test_products_keep_float32(
    left: bool, right: bool, exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onednn, "_full_precision", lambda: exact and real())
    for shape in ((1, 1, 1), (7, 3, 5), (128, 784, 40), (64, 1000, 96)):
        rows, terms, columns = shape
        x, w = _matrix(rows, terms, left, 1), _matrix(terms, columns, right, 2)
        wanted = x.double() @ w.double()
        scale = x.double().abs() @ w.double().abs()
        out = torch.empty(rows, columns)
        for y in (onednn.dense(x, w), onednn.dense(x, w, out=out)):
            # A relative 2^-20 of the sum of magnitudes: bfloat16 would show 2^-9, TF32 2^-12.
            assert ((y.double() - wanted).abs() <= scale * 2.0**-20).all()
        assert y is out
        bias = torch.linspace(-1, 1, columns)
        relu = onednn.dense(x, w, bias, "relu")
        assert torch.allclose(relu.double(), (wanted + bias).relu(), atol=1e-3)


real = onednn._full_precision


def test_a_product_leaves_torchs_setting() -> None:
    if not real():
        pytest.skip("oneDNN cannot keep float32 in mm here")
    before = torch.backends.mkldnn.matmul.fp32_precision
    with pytest.raises(RuntimeError):
        onednn._product(torch.ones(2, 3), torch.ones(2, 3))
    assert torch.backends.mkldnn.matmul.fp32_precision == before


def test_a_chip_that_rounds_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def rounds(x, w, out=None):  # type: ignore[no-untyped-def]
        return (x.bfloat16().float() @ w.bfloat16().float()).float()

    monkeypatch.setattr(onednn, "_product", rounds)
    assert not onednn._full_precision.__wrapped__()


def test_amx_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    assert not onednn._full_precision.__wrapped__()
