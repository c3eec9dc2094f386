"""A model: an ordered list of components and the hyperparameters that made them; it solves one task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from mu2net_core.objects.component import ComponentRef
from mu2net_core.version import FORMAT

__all__ = [
    "REFIT",
    "Architecture",
    "Costs",
    "Hyperparameter",
    "Merge",
    "Model",
    "Mutation",
    "Origin",
    "Scorer",
    "hardware_of",
]

Hyperparameter = bool | int | float | str

REFIT = "refit"
"""The mutation of a model that is its parent trained on, on validation examples, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Which family builds the model (entry point ``mu2net.architectures``) and its fixed sizes."""

    name: str
    config: Mapping[str, int | float | str | bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One change from parent to child: its name δ (``clone:head``, ``hp:learning_rate``), value before and after."""

    name: str
    before: Hyperparameter | None = None
    after: Hyperparameter | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """How quality and costs became a score: a formula and its numbers; scores compare only under equal scorers.

    Attributes:
        name: of the formula.
        factor: what a model's quality is multiplied by for each scale of costs, above 0 up to 1; 1 ignores costs.
        params_scale: so many accounted parameters cost one factor.
        flops_scale: so many FLOPs of a forward pass cost one factor.
    """

    name: str = "decay"
    factor: float = 1.0
    params_scale: float = 1e8
    flops_scale: float = 1e10

    def __post_init__(self) -> None:
        if not 0 < self.factor <= 1 or self.params_scale <= 0 or self.flops_scale <= 0:
            raise ValueError("scorer: factor must lie in (0, 1] and scales must be positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Numbers in the model, the task's share of them, and FLOPs of the forward pass of one example."""

    params: int
    accounted_params: float
    flops: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Another model's layer that one began with: as the weighted mean of it and the ``parent``, or alone.

    Attributes:
        component: its id.
        model: a retained model that has it, as a layer of the same name if it was merged.
        weight: its share of the mean, above 0 and below 1, the rest being that of the first; 1 of a layer that was
            taken over as it is, whose ``parent`` it is.
    """

    component: str
    model: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The checkpoint a root model was made from.

    Attributes:
        source: where it came from: a public name, a URL without secrets, or a file's name.
        blake3: the hash of the file, 64 lower-case hex digits.
    """

    source: str
    blake3: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model as it is stored.

    Attributes:
        task: what it solves; None for a root model.
        task_id: the task object it was trained under; None for a root model.
        architecture: family and fixed sizes.
        root: the root model it descends from; None for a root model.
        components: in the order data passes through them.
        hyperparameters: by name; every one the search space moves.
        mutation_rates: µ(δ) by mutation name, where it differs from the hyperparameter ``mu``.
        parent: the model it was mutated from; None for a root model.
        mutations: what was changed.
        merges: by layer, another model's layer that those came from whose operation is ``merge`` or ``cross`` and which
            this model trained; None if there are none.
        validation_curve: quality after each training cycle, in [0, 1].
        quality: the best of the curve, which is the one kept; None for a root model.
        score: of that quality under ``scorer`` and ``costs``.
        scorer: the formula the score was made with.
        costs: what the score accounted.
        test_quality: on the test split, measured once, after selection; None for a model that was not retained.
        seed: from which the child was sampled and trained.
        device_kind: e.g. ``cpu`` or ``NVIDIA H200``.
        versions: of the libraries that computed it; where they are unusual, also the precision and the layout.
        validation_examples: so many, the first ones of the validation split, ``quality`` was measured on; qualities of
            different numbers do not compare. None if it is not told.
        origin: the checkpoint a root was made from; None for a random root, and for every other model.
        unknown_keys: dotted names of keys that were there when it was read, and that this version does not know.
    """

    OMITTED_IF_NONE: ClassVar = ("merges", "origin", "validation_examples")

    format: int = FORMAT
    kind: Literal["model"] = "model"
    task: str | None = None
    task_id: str | None = None
    architecture: Architecture
    root: str | None = None
    components: tuple[ComponentRef, ...]
    hyperparameters: Mapping[str, Hyperparameter]
    mutation_rates: Mapping[str, float] = field(default_factory=dict)
    parent: str | None = None
    mutations: tuple[Mutation, ...] = ()
    validation_curve: tuple[float, ...] = ()
    quality: float | None = None
    score: float | None = None
    scorer: Scorer | None = None
    costs: Costs | None = None
    test_quality: float | None = None
    seed: int | None = None
    device_kind: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    validation_examples: int | None = None
    origin: Origin | None = None
    merges: Mapping[str, Merge] | None = None
    unknown_keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [ref.name for ref in self.components]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"a model needs components with distinct names, got {names}")
        if (self.task is None) != (self.parent is None):
            raise ValueError("exactly the root models have neither task nor parent")
        if self.task is not None and self.origin is not None:
            raise ValueError("only root models have an origin")
        made = {ref.name for ref in self.components if ref.operation in {"merge", "cross"} and ref.trainable}
        if made != (self.merges or {}).keys() or self.merges == {}:
            raise ValueError("exactly the layers that a model merged or took over, and trained, have a second source")

    @property
    def is_retained(self) -> bool:
        """Whether the repository keeps its arrays: roots, and the best model of each iteration."""
        return self.task is None or self.test_quality is not None

    @property
    def refit_of(self) -> str | None:
        """The model that this one is, trained on, on validation examples, too; None if it is no refit.

        What it says of validations is that model's: they would tell nothing of this one.
        """
        return self.parent if any(mutation.name == REFIT for mutation in self.mutations) else None

    @property
    def sources(self) -> tuple[str, ...]:
        """The models that it was made from, each once: its parent, and those that layers were merged with."""
        merged = [merge.model for _, merge in sorted((self.merges or {}).items())]
        return tuple(dict.fromkeys([*([] if self.parent is None else [self.parent]), *merged]))

    @property
    def hardware(self) -> tuple[str, str, str]:
        """What trained it and measured its quality, as ``hardware_of`` tells."""
        return hardware_of({"device": self.device_kind or "", **self.versions})

    @property
    def trained_by(self) -> frozenset[str]:
        """The tasks whose data reached any component of the model."""
        return frozenset(task for ref in self.components for task in ref.training)

    def component(self, name: str) -> ComponentRef | None:
        """Returns the component called ``name``, or None."""
        return next((ref for ref in self.components if ref.name == name), None)


def hardware_of(provenance: Mapping[str, str]) -> tuple[str, str, str]:
    """Returns what computes, by what is recorded of it: the kind of device, precision of products, layout of several.

    Qualities compare to the last example only where it is the same.
    """
    return provenance["device"], provenance.get("precision", "float32"), provenance.get("layout", "")
