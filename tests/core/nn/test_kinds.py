from __future__ import annotations

from typing import NamedTuple

import pytest

from mu2net_core.nn import (
    ArchitectureFamily,
    Bert,
    ByteTransformer,
    ConvNet,
    Curves,
    LayerKind,
    LayerSpec,
    TableTransformer,
    VisionTransformer,
)
from mu2net_core.nn.kinds import Lora
from mu2net_core.testing.building.dense import DenseFamily
from mu2net_core.testing.conformance.families import FamilyTests
from mu2net_core.testing.conformance.kinds import LayerKindTests

VIT, CONVNET, BYTES, BERT, DENSE = VisionTransformer(), ConvNet(), ByteTransformer(), Bert(), DenseFamily()
TABLE, CURVES = TableTransformer(), Curves()
FLOW = {"tokens": 5}
PADDED = {"tokens": 5, "padded": 1}


class Case(NamedTuple):
    """A kind, and the sizes of the smallest layer of it and of a larger one."""

    kind: LayerKind
    spec: LayerSpec
    larger: LayerSpec | None = None


def case(kind: LayerKind, *, flow=FLOW, larger=None, options=None, **sizes: int) -> Case:
    spec, grown = (
        LayerSpec.of("x", kind.name, flow=flow, **{**sizes, **(more or {})}).computing(options or {})
        for more in ({}, larger)
    )
    return Case(kind, spec, None if larger is None else grown)


CASES = (
    case(VIT.kinds["patch_embedding"], flow={"tokens": 4}, patch=2, channels=3, width=4),
    case(VIT.kinds["class_token"], width=4),
    case(VIT.kinds["position_embedding"], flow={}, tokens=5, width=4, larger={"tokens": 10}),
    case(VIT.kinds["adapter"], dim=2, width=4, larger={"dim": 3}),
    case(VIT.kinds["encoder_block"], heads=2, mlp=6, width=4, larger={"heads": 3, "head_dim": 2, "mlp": 8}),
    case(VIT.kinds["encoder_block"], heads=2, mlp=6, width=4, options={"gelu": "quick", "epsilon": 1e-12}),
    case(VIT.kinds["encoder_norm"], flow={}, width=4),
    case(VIT.kinds["mean_norm"], flow={"tokens": 5}, width=4),
    case(VIT.kinds["head"], flow={}, width=4, classes=3),
    case(CONVNET.kinds["conv_stem"], flow={"tokens": 4}, patch=2, channels=3, stem=4, width=4),
    case(CONVNET.kinds["residual_block"], flow={"tokens": 4}, width=4),
    case(CONVNET.kinds["downsampling"], flow={"tokens": 9}, inputs=2, width=4),
    case(CONVNET.kinds["convnext_block"], flow={"tokens": 9}, kernel=3, mlp=6, width=4, larger={"mlp": 8}),
    case(CONVNET.kinds["convnext_block"], flow={"tokens": 100}, kernel=7, mlp=6, width=4),
    case(CONVNET.kinds["pooling"], flow={"tokens": 4}, width=4),
    case(CONVNET.kinds["position_embedding"], flow={}, tokens=4, width=4, larger={"tokens": 9}),
    case(VIT.kinds["adapter"], flow=PADDED, dim=2, width=4),
    case(VIT.kinds["encoder_block"], flow=PADDED, heads=2, mlp=6, width=4),
    case(BYTES.kinds["byte_embedding"], flow={"length": 12, "tokens": 3}, rows=8, dim=4, positions=3, width=4),
    case(BYTES.kinds["peak_pooling"], width=4),
    case(TABLE.kinds["token_pooling"], width=4),
    case(BERT.kinds["token_embedding"], flow=PADDED, vocabulary=3, positions=6, width=4, tokenizer=2),
    case(BERT.kinds["post_norm_block"], flow=PADDED, heads=2, mlp=6, width=4, larger={"mlp": 8}),
    case(TABLE.kinds["column_embedding"], flow={}, columns=3, values=5, width=4),
    case(CURVES.kinds["token_sum"], width=4),
    case(DENSE.kinds["dense"], flow={}, inputs=12, outputs=4),
    case(DENSE.kinds["block"], flow={}, inputs=4, outputs=4),
    case(DENSE.kinds["norm"], flow={}, inputs=4, outputs=4),
    case(DENSE.kinds["head"], flow={}, inputs=4, outputs=3),
)


class TestKinds(LayerKindTests):
    """The kinds that come with mu2net, and those that its tests use."""

    @pytest.fixture(
        params=CASES, ids=lambda one: f"{type(one.kind).__module__.split('.')[1]}-{one.kind.name}-{one.spec.flow}"
    )
    def case(self, request: pytest.FixtureRequest) -> Case:
        return request.param

    @pytest.fixture
    def kind(self, case: Case) -> LayerKind:
        return case.kind

    @pytest.fixture
    def spec(self, case: Case) -> LayerSpec:
        return case.spec

    @pytest.fixture
    def larger(self, case: Case) -> LayerSpec | None:
        return case.larger


class Small(NamedTuple):
    """A family with the smallest of its models, and how its structure can change."""

    family: ArchitectureFamily
    config: dict[str, object]
    hyperparameters: dict[str, int]
    structure: tuple[str, ...] = ("adapter", "block", "heads", "lora", "mlp")


ADAPTED = {"num_layers": 1, "adapter_dim": 2}
FAMILIES = (
    Small(VIT, {"image": 4, "patch": 2, "width": 4, "heads": 2, "mlp": 6, "channels": 3}, ADAPTED),
    Small(
        CONVNET,
        {"image": 6, "patch": 2, "stem": 4, "conv_width": 4, "width": 8, "heads": 2, "mlp": 6, "channels": 3},
        {"num_layers": 2, "attention_1": 2, "adapter_dim": 2},
    ),
    Small(
        BYTES,
        {"rows": 16, "row_width": 4, "positions": 4, "width": 4, "heads": 2, "mlp": 6},
        {**ADAPTED, "text_length": 16},
    ),
    Small(
        BERT,
        {"vocabulary": 8, "positions": 6, "width": 4, "heads": 2, "mlp": 6, "pooling": "mean"},
        {**ADAPTED, "text_length": 5},
        ("adapter", "heads", "lora", "mlp"),
    ),
    Small(TABLE, {"columns": 3, "values": 5, "width": 4, "heads": 2, "mlp": 4}, ADAPTED),
    Small(CURVES, {"columns": 3, "values": 5, "width": 4, "heads": 2, "mlp": 4}, ADAPTED),
    Small(DENSE, {"image": 2, "width": 4}, {"num_layers": 1}, ()),
)


class TestFamilies(FamilyTests):
    @pytest.fixture(params=FAMILIES, ids=lambda small: small.family.name)
    def small(self, request: pytest.FixtureRequest) -> Small:
        return request.param

    @pytest.fixture
    def family(self, small: Small) -> ArchitectureFamily:
        return small.family

    @pytest.fixture
    def config(self, small: Small) -> dict[str, object]:
        return small.config

    @pytest.fixture
    def hyperparameters(self, small: Small) -> dict[str, int]:
        return small.hyperparameters

    @pytest.fixture
    def structure(self, small: Small) -> tuple[str, ...]:
        return small.structure


def test_every_kind_of_a_shipped_family_is_among_those_that_are_tested() -> None:
    tested = {type(one.kind) for one in CASES} | {Lora}  # which computes nothing by itself: test_lora.py
    assert tested == {type(kind) for small in FAMILIES for kind in small.family.kinds.values()}
