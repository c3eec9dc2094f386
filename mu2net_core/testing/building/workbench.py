"""The engine's surroundings without a repository: a small task, components in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import jax
import numpy as np

from mu2net_core.codec import encode_component
from mu2net_core.data import Examples, Resident
from mu2net_core.engine import ComponentPool, Programs, TaskData, Workshop
from mu2net_core.nn import LayerSpec
from mu2net_core.objects import (
    Architecture,
    Classes,
    Component,
    ComponentRef,
    Model,
    Task,
    encode,
    hash_bytes,
)
from mu2net_core.presets import Preset, TrainingConfig
from mu2net_core.search import Member, SearchSpace
from mu2net_core.testing.building.dense import DenseFamily
from mu2net_core.testing.building.samples import sample_task

__all__ = ["BENCH_PRESET", "Workbench", "coloured_images"]

BENCH_PRESET = Preset(
    name="bench",
    summary="The smallest thing that evolves.",
    architecture=Architecture(name="dense", config={"image": 2, "width": 4}),
    space=SearchSpace(
        values={
            "mu": (0.1, 0.2, 0.3),
            "learning_rate": (0.1, 0.2, 0.5),
            "warmup_ratio": (0.0, 0.1),
            "momentum": (0.8, 0.9),
            "nesterov": (False, True),
            "num_layers": (0, 1, 2),
        },
        defaults={
            "mu": 0.2,
            "learning_rate": 0.2,
            "warmup_ratio": 0.1,
            "momentum": 0.9,
            "nesterov": False,
            "num_layers": 1,
        },
    ),
    training=TrainingConfig(generations=2, children=3, validations=2, batch_size=16),
)


def coloured_images(count: int, num_classes: int, seed: int) -> Examples:
    """Returns noisy images uint8 [N, 2, 2, 3] whose brightest channel tells the label, and labels int32 [N]."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int32) % num_classes
    images = rng.integers(0, 160, (count, 2, 2, 3))
    images[np.arange(count), :, :, labels % 3] += 60
    return Examples(inputs=images.astype(np.uint8), labels=labels)


@dataclass(slots=True)
class Workbench:
    """Makes workshops and root models.

    Attributes:
        programs: shared by all that is made here.
        components: everything that was stored, by id.
    """

    programs: Programs = field(default_factory=lambda: Programs(family=DenseFamily()), repr=False)
    components: dict[str, Component] = field(default_factory=dict, repr=False)

    def store(self, component: Component) -> tuple[str, int]:
        """Keeps a component; returns its id and size in bytes."""
        data = encode_component(component)
        self.components[hash_bytes(data)] = component
        return hash_bytes(data), len(data)

    def task(self, name: str = "a", num_classes: int = 3) -> Task:
        """Returns a task that no data stands behind."""
        return replace(sample_task(name), output=Classes(names=tuple(f"class-{index}" for index in range(num_classes))))

    def workshop(self, name: str = "a", *, num_classes: int = 3, preset: Preset = BENCH_PRESET) -> Workshop:
        """Returns a workshop for a task of coloured images: 48 to train, 30 to validate."""
        task = self.task(name, num_classes)
        return Workshop(
            task=task,
            task_id=hash_bytes(encode(task)),
            access=task.access,
            preset=preset,
            data=self.data(num_classes),
            programs=self.programs,
            pool=ComponentPool(self.components.__getitem__),
            save_component=self.store,
            model_id=lambda model: hash_bytes(encode(model)),
            provenance={"device": "bench", "jax": jax.__version__},
        )

    def data(self, num_classes: int = 3, *, resident_bytes: int = 2**20, kept_bytes: int = 2**20) -> TaskData:
        """Returns coloured images: 48 to train, 30 to validate."""
        splits = {"train": coloured_images(48, num_classes, 1), "validation": coloured_images(30, num_classes, 2)}
        return TaskData(
            load=lambda split, _input_spec: Resident(splits[split]),
            num_examples={name: len(split) for name, split in splits.items()},
            output=self.task(num_classes=num_classes).output,
            validation_cap=100,
            resident_bytes=resident_bytes,
            kept_bytes=kept_bytes,
        )

    def root(self, *, num_layers: int = 1, preset: Preset = BENCH_PRESET) -> Member:
        """Returns a random root model whose components are stored."""
        hyperparameters = {**preset.space.defaults, "num_layers": num_layers}
        specs = self.programs.family.layers(preset.architecture.config, hyperparameters, 1)
        refs = tuple(self._stored(spec) for spec in specs if spec.name != self.programs.family.head)
        model = Model(architecture=preset.architecture, components=refs, hyperparameters=hyperparameters)
        return Member(id=hash_bytes(encode(model)), model=model)

    def _stored(self, spec: LayerSpec) -> ComponentRef:
        params = self.programs.family.init(spec, np.random.default_rng(len(spec.name)))
        component = Component(name=spec.name, config=spec.config, params=params)
        oid, size_bytes = self.store(component)
        return ComponentRef(
            id=oid,
            name=spec.name,
            num_params=component.num_params,
            size_bytes=size_bytes,
            trainable=False,
            operation="root",
        )
