"""What somebody forges where he may write: purges, wider rules, other training; and what of a secret lies elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from mu2net_core.codec import read_label
from mu2net_core.objects import PUBLIC, AccessRule, Kind, Model, Training, parse_object_key
from mu2net_core.repo import Remote
from mu2net_core.repo.core import redacted_task
from mu2net_core.repo.remotes import Node, connect
from mu2net_core.testing.attacks.writer import Writer
from mu2net_core.testing.building.samples import SAMPLE_IDENTITY, sample_task, sample_tombstone

__all__ = ["Forger", "leaks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forger(Writer):
    """Writes into a repository, here or elsewhere, what no command of ours would; nothing there goes by it."""

    def everything(self) -> list[Node]:
        """Returns all components, models, commits and snapshots that are there."""
        kinds: tuple[Kind, ...] = ("commit", "component", "model", "snapshot")
        return [(kind, oid) for kind in kinds for oid in self.objects.ids(kind)]

    def widened(self, task: str) -> str:
        """Returns a task object of that name that everybody may read."""
        return self.put(sample_task(task, PUBLIC))

    def naming(self, model: Model, component_id: str, training: Mapping[str, Training], **changed: object) -> Model:
        """Returns a model whose embedding is said to be a component that it has not; ``changed`` are of the place."""
        forged = (
            replace(ref, id=component_id, training=training, **changed) if ref.name == "embedding" else ref  # type: ignore[arg-type]
            for ref in model.components
        )
        return replace(model, components=tuple(forged))

    def purge(self, task: str, access: AccessRule = PUBLIC) -> str:
        """Moves a head to a purge commit that says who may read what the task taught; returns that commit."""
        return self.move(task, self.first(task, redacted_task(task, access), message="purged", removed=True))

    def stone(
        self,
        task: str,
        listed: Iterable[Node] = (),
        *,
        roots: Iterable[str] = (),
        through: int | None = None,
        access: AccessRule = PUBLIC,
        identity: str = SAMPLE_IDENTITY,
    ) -> None:
        """Says in a tombstone of ``task`` that ``listed`` went with it, and tells everybody to look."""
        head = self.refs.head(task)
        number = through if through is not None else head.number if head is not None else 1
        names = [f"{kind}/{oid}" for kind, oid in listed]
        stone = sample_tombstone(
            task, number, roots=sorted(set(roots)), objects=names, access=access, identity=identity
        )
        self.refs.create_tombstone(stone)
        self.begin_epoch()

    def whole_stone(self, task: str, listed: Iterable[Node] = (), access: AccessRule = PUBLIC) -> None:
        """Writes the tombstone of a purge of all that there is of a task, which may list more."""
        self.stone(task, listed, roots=[self.refs.entry(task, 1)[0].commit], access=access)

    def whole_purge(self, task: str, access: AccessRule = PUBLIC, *, others: Iterable[Node] = ()) -> str:
        """Purges a task for everybody: all that is there is listed, and ``others``; returns the purge commit."""
        self.whole_stone(task, [*self.everything(), *others], access)
        return self.purge(task, access)


def leaks(place: Remote, task: str, *, names: bool = True) -> set[str]:
    """Returns what a place holds of what a task taught: components, models; with ``names`` all that names it."""
    store, found = connect(place).store, set[str]()
    for key in store.list("objects"):
        node = parse_object_key(key)
        data = store.read(key)
        if node is None or node[0] == "component":
            found |= {key} if node is not None and task in read_label(data).trained_by else set()
        elif f'"{task}"'.encode() in data and (names or node[0] == "model"):
            found.add(key)
    return found
