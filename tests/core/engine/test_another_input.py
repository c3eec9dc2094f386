"""A dry run: texts go in, by one kind of layer and one family that are written here, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from flax import linen as nn

from mu2net_core.engine.evaluate import measure
from mu2net_core.engine.feeding import TaskData
from mu2net_core.engine.fitting import model_specs, unfit_parent
from mu2net_core.engine.generation import train_generation
from mu2net_core.engine.loaded import LoadedModel
from mu2net_core.engine.programs import Programs
from mu2net_core.nn import ArchitectureFamily, InputSpec, LayerSpec, ModuleKind, Vocabulary, by_name
from mu2net_core.nn.kinds import ClassToken, EncoderBlock, EncoderNorm, Head, PositionEmbedding
from mu2net_core.objectives import Classify
from mu2net_core.objects import Architecture, Limits
from mu2net_core.search import Population
from mu2net_core.testing.building.systems import SystemBuilder
from mu2net_core.testing.building.workbench import BENCH_PRESET, Workbench
from mu2net_core.testing.conformance.families import FamilyTests
from mu2net_core.testing.conformance.kinds import LayerKindTests

SIZES = {"length": 4, "words": 600, "width": 8}  # more words than a byte has values
CHOSEN = {**BENCH_PRESET.space.defaults, "num_layers": 1}


class WordEmbedding(ModuleKind):
    """Words, as numbers int32 [B, L], to tokens [B, L, D]."""

    name = "word_embedding"
    takes_dtype = "int32"

    def takes(self, spec):
        return (spec.size("tokens"),)

    def gives(self, spec):
        return (spec.size("tokens"), spec.size("width"))

    def module(self, spec, *, dtype, first_only):
        return nn.Embed(spec.size("words"), spec.size("width"), dtype=dtype)

    def received(self, x, dtype):
        return x

    def draw(self, name, shape, rng, *, identity):
        return rng.standard_normal(shape)

    def flops(self, spec, *, first_only=False):
        return 0


class WordFamily(ArchitectureFamily):
    """Words through an embedding of their own, then the layers that a vision transformer has."""

    name = "words"
    kinds = by_name(WordEmbedding(), ClassToken(), PositionEmbedding(), EncoderBlock(), EncoderNorm(), Head())
    head = "head"
    always_trainable = frozenset({"head", "encoder_norm"})
    vocabulary = Vocabulary(depth="num_layers")

    def layers(self, config, hyperparameters, num_outputs):
        width, flow = int(config["width"]), {"tokens": int(config["length"])}
        tokens = {"tokens": flow["tokens"] + 1}
        return (
            LayerSpec.of("words", "word_embedding", flow=flow, words=int(config["words"]), width=width),
            LayerSpec.of("class_token", "class_token", flow=flow, width=width),
            LayerSpec.of("positions", "position_embedding", width=width, **tokens),
            *(
                LayerSpec.of(f"block_{k}", "encoder_block", flow=tokens, heads=2, mlp=8, width=width)
                for k in range(int(hyperparameters["num_layers"]))
            ),
            LayerSpec.of("encoder_norm", "encoder_norm", width=width),
            Head.spec(width=width, num_outputs=num_outputs),
        )

    def input(self, config, hyperparameters):
        return InputSpec(kind="text", shape=(int(config["length"]),), dtype="int32")


FAMILY = WordFamily()


class TestWordEmbedding(LayerKindTests):
    @pytest.fixture
    def kind(self) -> WordEmbedding:
        return WordEmbedding()

    @pytest.fixture
    def spec(self) -> LayerSpec:
        return FAMILY.layers(SIZES, CHOSEN, 2)[0]


class TestWordFamily(FamilyTests):
    @pytest.fixture
    def family(self) -> WordFamily:
        return FAMILY

    @pytest.fixture
    def config(self) -> dict[str, int]:
        return SIZES

    @pytest.fixture
    def hyperparameters(self) -> dict[str, object]:
        return CHOSEN


@dataclass(frozen=True)
class Texts:
    """Sentences of which each has words of one half of the vocabulary, and which half that is."""

    images: np.ndarray
    labels: np.ndarray

    @classmethod
    def drawn(cls, count: int, seed: int) -> Texts:
        labels = np.arange(count, dtype=np.int32) % 2
        words = np.random.default_rng(seed).integers(0, 3, (count, SIZES["length"]))
        return cls((words + 300 * labels[:, None]).astype(np.int32), labels)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Feed:
    """A split of them."""

    texts: Texts

    @property
    def num_examples(self) -> int:
        return len(self.texts)

    def shuffled(self, count: int, *, chunk: int, seed: int) -> Iterator[Texts]:
        return self.in_order(chunk=chunk, limit=count)

    def in_order(self, *, chunk: int, limit: int | None = None) -> Iterator[Texts]:
        for begin in range(0, limit or len(self.texts), chunk):
            yield Texts(self.texts.images[begin : begin + chunk], self.texts.labels[begin : begin + chunk])


SPLITS = {"train": Feed(Texts.drawn(48, 1)), "validation": Feed(Texts.drawn(30, 2))}


@pytest.mark.parametrize("room", [2**20, 0], ids=["on the device", "streamed"])
def test_a_family_of_texts_is_trained_stored_and_measured(bench: Workbench, plan_of, room: int) -> None:
    own = Workbench(programs=Programs(family=FAMILY))
    preset = replace(BENCH_PRESET, architecture=Architecture(name="words", config=SIZES))
    asked: list[InputSpec] = []

    def load(split: str, input_spec: InputSpec) -> Feed:
        asked.append(input_spec)
        return SPLITS[split]

    data = TaskData(load=load, validation_cap=100, resident_bytes=room, kept_bytes=room)
    shop = replace(own.workshop(num_classes=2, preset=preset), data=data)
    root = own.root(preset=preset)
    system = SystemBuilder().root(root).task("a").build()
    assert unfit_parent(root.model, FAMILY, preset.space, 2) is None
    plans = (plan_of(root, ("words", "block_0")), plan_of(root))
    children = [result.member for result in train_generation(shop, plans, Population(task="a"), system, seed=1)]
    assert {(one.kind, one.shape, one.dtype) for one in asked} == {("text", (4,), "int32")}
    for child, trained in zip(children, (True, False), strict=True):
        assert child is not None
        assert child.model.components[0].trainable is trained
        specs = model_specs(child.model, FAMILY, 2)
        loaded = LoadedModel.of(
            child.model, num_outputs=2, programs=own.programs, limits=Limits(), load=own.components.__getitem__
        )
        assert loaded.specs == specs
        assert measure(loaded, Classify(), SPLITS["validation"]).quality == child.model.quality
    assert children[0].model.quality > 0.8
    words = own.components[children[0].model.components[0].id]
    assert words.config == {"kind": "word_embedding", "width": 8, "words": 600}
    assert not np.array_equal(
        words.params["embedding"], own.components[root.model.components[0].id].params["embedding"]
    )
