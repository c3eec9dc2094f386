"""What a search method decides about a child, before any array is touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mu2net_core.objects import ComponentRef, Hyperparameter, Merge, Model, Mutation, Training

__all__ = ["ChildPlan", "Member", "Merging", "Partner"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A model that can be a parent.

    Attributes:
        id: of its manifest.
        model: the manifest, scored by the rule in force and by what its layers cost the task now.
        stored: the manifest as it is stored, which the id is the hash of, where the score is another one now.
    """

    id: str
    model: Model
    stored: Model | None = None

    @property
    def manifest(self) -> Model:
        """The manifest as it is stored."""
        return self.model if self.stored is None else self.stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """A layer of another model that one of a parent can be merged with, or that can take its place.

    Attributes:
        model: the other model's id.
        ref: the layer's place in it.
        training: what the lines of all layers were trained with that a child's begins as.
    """

    model: str
    ref: ComponentRef
    training: Mapping[str, Training]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merging:
    """A layer of a child that begins as the weighted mean of its parent's and of a partner, or as the partner.

    Attributes:
        partner: the second source.
        weight: its share of the mean, above 0; 1 where the partner's layer takes the place of the parent's.
    """

    partner: Partner
    weight: float

    @property
    def is_crossing(self) -> bool:
        """Whether nothing of the parent's layer is left."""
        return self.weight == 1

    @property
    def told(self) -> Merge:
        """What the child's manifest tells of it."""
        return Merge(component=self.partner.ref.id, model=self.partner.model, weight=self.weight)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildPlan:
    """A child to build and train.

    Attributes:
        parent: whom it is mutated from.
        clones: names of the parent's components that the child gets a trainable copy of; those every child trains,
            those nobody has trained yet, and those of the task's own models that nobody else uses, are trained whether
            or not they are among them.
        hyperparameters: the child's, after mutation.
        mutation_rates: the child's µ(δ), where they differ from ``mu``.
        mutations: everything that was changed.
        seed: for the child's random initialisation and shuffling.
        merges: by name, the parent's components that the child merges with another model's, or that another model's
            takes the place of; it trains what comes out.
    """

    parent: Member
    clones: frozenset[str]
    hyperparameters: Mapping[str, Hyperparameter]
    mutation_rates: Mapping[str, float]
    mutations: tuple[Mutation, ...]
    seed: int
    merges: Mapping[str, Merging] = field(default_factory=dict)
