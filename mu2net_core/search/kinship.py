"""Which layers of other models a layer can be merged with, and which can take its place.

It can be merged with those that grew from the same layer as it did. The mean of two layers computes something only
where both are near each other: where both were trained on from the same trained layer (Frankle et al., 2020; Wortsman
et al., 2022). Layers that have nothing in common but the random numbers they began with are not.

A block's place can be taken by one of another architecture, as of a model of images in one of tables. Both are of one
kind and size; they need nothing in common, as the one goes and the other comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mu2net_core.objects import LARGEST_COUNT, ComponentRef, Model, System, Training
from mu2net_core.search.plan import Member, Partner
from mu2net_core.search.structure import Structure

__all__ = ["Kinship", "block_stem"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinship:
    """Whose layers those of a model can be merged with, and whose can take their place.

    Attributes:
        donors: retained models, in a fixed order, that the active task may use and its commits may name.
        strangers: likewise, those of other architectures.
        known: by component id, what manifests tell of it.
        sources: by component id, the components that it was made from.
    """

    donors: tuple[Member, ...] = ()
    strangers: tuple[Member, ...] = ()
    known: Mapping[str, ComponentRef] = field(default_factory=dict)
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, system: System, task: str, members: Iterable[Member] = ()) -> Kinship:
        """Returns who can be merged with whom in ``system``, as a commit of ``task`` may tell.

        Args:
            system: with the manifests that the lines of its models pass through.
            task: the active task.
            members: models of the task that the system does not have: alive in its iteration, and what they descend
                from.
        """
        donors = tuple(
            Member(id=head.model_id, model=head.model)
            for name, head in sorted(system.heads.items())
            if head.model is not None and head.model_id is not None
            if system.may_name(task, name) and system.may_use(task, head.model)
        )
        manifests = {**system.ancestors, **system.retained()}
        known, sources = dict[str, ComponentRef](), dict[str, tuple[str, ...]]()
        for model in _lines([member.model for member in (*donors, *members)], manifests):
            for ref in model.components:
                merge = (model.merges or {}).get(ref.name)
                made_from = (*sources.get(ref.id, ()), ref.parent, None if merge is None else merge.component)
                known[ref.id] = ref
                sources[ref.id] = tuple(oid for oid in dict.fromkeys(made_from) if oid is not None)
        return cls(donors=donors, known=known, sources=sources)

    def with_strangers(self, system: System) -> Kinship:
        """Returns the same, and that the blocks of models of other architectures in ``system`` can be taken over."""
        return replace(
            self, strangers=tuple(Member(id=oid, model=one) for oid, one in sorted(system.strangers.items()))
        )

    def partners(self, parent: Model, structure: Structure) -> dict[str, tuple[Partner, ...]]:
        """Returns by layer of ``parent`` what it can be merged with; layers that can be merged with nothing are not in.

        Such a layer is called the same in the other model, is as large, is none that this one came from, and grew from
        the same trained component or from this one. What every child trains is of its task alone, and never merged.
        """
        found: dict[str, tuple[Partner, ...]] = {}
        for ref in parent.components:
            if ref.name in structure.always_trainable or ref.is_untrained:
                continue
            line = list(self._line(ref.id))
            mates = tuple(mate for donor in self.donors if (mate := self._partner(ref, line, donor)) is not None)
            if mates:
                found[ref.name] = mates
        return found

    def crossings(self, parent: Model, structure: Structure) -> dict[str, tuple[Partner, ...]]:
        """Returns by block of ``parent`` what can take its place; blocks that nothing can replace are not in.

        Such a block is one of a model of another architecture, wherever it stands there, is called alike but for its
        number, has as many numbers, and was trained. Whether it computes alike shows where it is built.
        """
        found: dict[str, tuple[Partner, ...]] = {}
        for ref in parent.components:
            stem = block_stem(ref.name)
            mates = tuple(
                Partner(model=donor.id, ref=other, training=other.training)
                for donor in (self.strangers if stem and ref.name not in structure.always_trainable else ())
                for other in donor.model.components
                if block_stem(other.name) == stem and other.num_params == ref.num_params
                if other.id != ref.id and not other.is_untrained
            )
            if mates:
                found[ref.name] = mates
        return found

    def _partner(self, ref: ComponentRef, line: list[str], donor: Member) -> Partner | None:
        other = donor.model.component(ref.name)
        if other is None or other.id in line or other.num_params != ref.num_params:
            return None
        theirs = set(self._line(other.id))
        common = next((oid for oid in line if oid in theirs), None)
        if common is None or common not in self.known or self.known[common].is_untrained:
            return None
        return Partner(model=donor.id, ref=other, training=_together(ref, other, self.known[common]))

    def _line(self, component: str) -> Iterator[str]:
        """Yields a component and all that it was made from, nearest first, each once."""
        queue, seen = [component], {component}
        for oid in queue:  # grows while it is walked
            yield oid
            fresh = [source for source in self.sources.get(oid, ()) if source not in seen]
            queue += dict.fromkeys(fresh)
            seen.update(fresh)


def _lines(models: Sequence[Model], manifests: Mapping[str, Model]) -> Iterator[Model]:
    """Yields ``models`` and all that they descend from, as far as there are manifests.

    No other counts: what a child is made of follows from what its commit may name.
    """
    queue, seen = list(models), set[str]()
    for model in queue:  # grows while it is walked
        yield model
        fresh = [oid for oid in model.sources if oid in manifests and oid not in seen]
        queue += (manifests[oid] for oid in fresh)
        seen.update(fresh)


def _together(one: ComponentRef, other: ComponentRef, common: ComponentRef) -> dict[str, Training]:
    """Returns what the lines of two components were trained with: what both have in common counts once."""
    none = Training(steps=0, examples=0)
    found = {}
    for task in sorted({*one.training, *other.training}):
        mine, theirs, shared = (ref.training.get(task, none) for ref in (one, other, common))
        found[task] = Training(
            steps=_sum(mine.steps, theirs.steps, shared.steps),
            examples=_sum(mine.examples, theirs.examples, shared.examples),
        )
    return found


def _sum(mine: int, theirs: int, shared: int) -> int:
    """Returns a count of both lines, never less than that of one, whatever manifests say."""
    return min(mine + theirs - min(shared, mine, theirs), LARGEST_COUNT)


def block_stem(name: str) -> str:
    """Returns what a block is called without its number; nothing for a layer that is no block, as an adapter is."""
    stem = name.rstrip("0123456789")
    return stem if stem.endswith("block_") and stem != name else ""
