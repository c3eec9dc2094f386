from __future__ import annotations

import jax
import numpy as np
import pytest
from jax.lax import Precision

from mu2net_core.nn import LayerSpec
from mu2net_core.nn.kinds import Adapter
from mu2net_core.nn.row import run
from mu2net_core.testing.conformance.products import precisions


def test_layers_that_are_alike_are_traced_once_whatever_they_are_called() -> None:
    traced: list[LayerSpec] = []

    class Watched(Adapter):
        def apply(self, spec, params, x, **options):
            traced.append(spec)
            return super().apply(spec, params, x, **options)

    kind = Watched()
    sizes = {"adapter_0": 1, "adapter_1": 1, "adapter_2": 3}
    specs = [LayerSpec.of(name, "adapter", flow={"tokens": 2}, dim=dim, width=2) for name, dim in sizes.items()]
    row = tuple(kind.init(spec, np.random.default_rng(0)) for spec in specs)
    jax.make_jaxpr(jax.grad(lambda row: run({"adapter": kind}, specs, row, np.ones((1, 2, 2), np.float32)).sum()))(row)
    assert [spec.size("dim") for spec in traced] == [1, 3]


@pytest.mark.parametrize("present", [None, np.array([True])])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_products_in_float32_are_that_on_every_device_and_so_are_their_gradients(precision, present) -> None:
    spec = LayerSpec.of("adapter_0", "adapter", flow={"tokens": 2}, dim=3, width=2)
    row, x = (Adapter().init(spec, np.random.default_rng(0)),), np.ones((1, 2, 2), np.float32)

    def loss(row, x):
        return run({"adapter": Adapter()}, [spec], row, x, precision=precision, present=present).sum()

    found = precisions(jax.grad(loss, argnums=(0, 1)), row, x)
    assert len(found) >= 4
    assert found == {"float32": [(Precision.HIGHEST,) * 2], "bfloat16": [None]}[precision] * len(found)
