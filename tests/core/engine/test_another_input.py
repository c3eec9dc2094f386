"""A dry run: texts go in, by one kind of layer and one family that are written here, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from flax import linen as nn

from mu2net_core.data import MODALITIES, Modality
from mu2net_core.engine.evaluate import measure
from mu2net_core.engine.feeding import TaskData
from mu2net_core.engine.fitting import unfit_parent
from mu2net_core.engine.generation import train_generation
from mu2net_core.engine.loaded import LoadedModel
from mu2net_core.engine.programs import Programs
from mu2net_core.engine.training import Chunk
from mu2net_core.engine.workshop import Workshop
from mu2net_core.nn import ArchitectureFamily, InputSpec, LayerSpec, ModuleKind, VisionTransformer, Vocabulary, by_name
from mu2net_core.nn.kinds import ClassToken, EncoderBlock, EncoderNorm, Head, PositionEmbedding
from mu2net_core.objectives import Classify, Multilabel, Objective
from mu2net_core.objects import LIMITS, PREPARATION, Architecture, Classes, Labels, Model, Text
from mu2net_core.search import ChildPlan, Member, Population
from mu2net_core.testing.building.plugins import offer
from mu2net_core.testing.building.samples import sample_task
from mu2net_core.testing.building.systems import SystemBuilder
from mu2net_core.testing.building.workbench import BENCH_PRESET, Workbench
from mu2net_core.testing.conformance.families import FamilyTests
from mu2net_core.testing.conformance.kinds import LayerKindTests

SIZES = {"length": 4, "words": 600, "width": 8}  # more words than a byte has values
CHOSEN = {**BENCH_PRESET.space.defaults, "num_layers": 1}
PRESET = replace(BENCH_PRESET, architecture=Architecture(name="words", config=SIZES))


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


class TextModality(Modality):
    kind = "text"
    dtype = "int32"
    preparation = frozenset({"lower_case"})


@pytest.fixture(autouse=True)
def texts_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, MODALITIES, text=TextModality())


@dataclass(frozen=True)
class Texts:
    """Sentences of which each has words of one half of the vocabulary, and which half that is."""

    inputs: np.ndarray
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
            yield Texts(self.texts.inputs[begin : begin + chunk], self.texts.labels[begin : begin + chunk])


SPLITS = {"train": Feed(Texts.drawn(48, 1)), "validation": Feed(Texts.drawn(30, 2))}


def workshop(own: Workbench, room: int = 2**20, splits=SPLITS, asked: list[InputSpec] | None = None, **task):
    """Returns a workshop for a task of sentences; ``asked`` is told what examples are asked for."""

    def load(split: str, input_spec: InputSpec) -> Feed:
        if asked is not None:
            asked.append(input_spec)
        return splits[split]

    shop = own.workshop(num_classes=2, preset=PRESET)
    told = replace(shop.task, input=Text(max_length=4), **task)
    data = TaskData(
        load=load,
        num_examples={name: feed.num_examples for name, feed in splits.items()},
        output=told.output,
        validation_cap=100,
        resident_bytes=room,
        kept_bytes=room,
    )
    return replace(shop, data=data, task=told)


def trained(shop: Workshop, root: Member, *plans: ChildPlan) -> list[Model]:
    system = SystemBuilder().root(root).task("a").build()
    results = list(train_generation(shop, plans, Population(task="a"), system, seed=1))
    assert [result.outcome for result in results] == ["kept"] * len(plans)
    return [result.member.model for result in results if result.member is not None]


def measured(own: Workbench, model: Model, objective: Objective, feed: Feed) -> float:
    outputs = own.components[model.components[-1].id].params["bias"].size
    loaded = LoadedModel.of(
        model, num_outputs=outputs, programs=own.programs, limits=LIMITS, load=own.components.__getitem__
    )
    return measure(loaded, objective, feed).quality


@pytest.mark.parametrize("room", [2**20, 0], ids=["in memory", "streamed"])
def test_a_family_of_texts_is_trained_stored_and_measured(plan_of, room: int) -> None:
    own, asked = Workbench(programs=Programs(family=FAMILY)), []
    root = own.root(preset=PRESET)
    assert unfit_parent(root.model, FAMILY, PRESET.space, 2) is None
    plans = (plan_of(root, ("words", "block_0")), plan_of(root))
    children = trained(workshop(own, room, asked=asked), root, *plans)
    assert {(one.kind, one.shape, one.dtype) for one in asked} == {("text", (4,), "int32")}
    for child, is_trained in zip(children, (True, False), strict=True):
        assert child.components[0].trainable is is_trained
        assert measured(own, child, Classify(), SPLITS["validation"]) == child.quality
    assert children[0].quality > 0.8
    words = own.components[children[0].components[0].id]
    assert words.config == {"kind": "word_embedding", "width": 8, "words": 600}
    assert not np.array_equal(
        words.params["embedding"], own.components[root.model.components[0].id].params["embedding"]
    )


def test_tasks_of_other_classes_and_a_test_need_no_further_program(plan_of) -> None:
    told: list[str] = []
    own = Workbench(programs=Programs(family=FAMILY, on_compile=lambda what, _wall_s: told.append(what)))
    root, compiled = own.root(preset=PRESET), []
    for names in (("a", "b"), ("a", "b", "c", "d", "e")):
        (child,) = trained(workshop(own, output=Classes(names=names)), root, plan_of(root))
        compiled.append(len(told))
        assert own.components[child.components[-1].id].params["kernel"].shape == (8, len(names))
        assert measured(own, child, Classify(), SPLITS["validation"]) == child.quality
    assert compiled == [compiled[0], compiled[0]]
    assert len(told) == compiled[0]


def test_what_says_how_examples_are_prepared_is_shared_whatever_goes_in() -> None:
    texts = workshop(Workbench(programs=Programs(family=FAMILY)))
    assert texts.space.shared == {"lower_case"}
    images = replace(texts, programs=Programs(family=VisionTransformer()), task=sample_task("a"))
    assert images.space.shared == {"image_size", *PREPARATION}
    assert texts.space.values == PRESET.space.values


def test_where_absent_outputs_would_count_a_head_has_none(plan_of, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead: list[Chunk] = []
    monkeypatch.setattr(Programs, "train_ahead", lambda _self, *args, objective, is_next: ahead.append(args[-1]))
    own = Workbench(programs=Programs(family=FAMILY))
    root = own.root(preset=PRESET)
    both = {
        name: Feed(
            Texts(feed.texts.inputs, np.stack([feed.texts.labels, 1 - feed.texts.labels], axis=1).astype(np.uint8))
        )
        for name, feed in SPLITS.items()
    }
    shop = workshop(own, splits=both, output=Labels(names=("a", "b")), metric="f1")
    (child,) = trained(shop, root, plan_of(root, ("words", "block_0"), learning_rate=1.0))
    assert [(chunk.labels.shape[1:], chunk.labels.dtype) for chunk in ahead] == [((2,), np.uint8)]
    assert own.components[child.components[-1].id].params["kernel"].shape == (8, 2)
    assert measured(own, child, Multilabel(), both["validation"]) == pytest.approx(child.quality, abs=1e-3)
    assert child.quality > 0.8
