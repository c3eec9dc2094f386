"""What each commit brought: by how much the score rose, which components were trained for it, and who vouches for it.

It is noted in ``state/credits`` (see ``notes``), so that manifests and signatures are looked at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from mu2net_core.errors import CorruptObjectError, NotFoundError, SearchError
from mu2net_core.objects import Commit, Model, Scorer
from mu2net_core.repo.core import ObjectDatabase, Repository
from mu2net_core.repo.history.notes import CREDITS_FILE, Notes
from mu2net_core.scoring import SCORERS, score

__all__ = ["Contribution", "Contributions", "component_mark"]

_VERSION = b"mu2net-credits-1"
_WORTH = 200
_MARK = 16


class Contribution(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What one commit brought.

    Attributes:
        oid: the commit's id.
        gain: by how much the score of its model is above that of the model before it, or above 0 if there was none; 0
            if it is not above it, if it is the same model, and of a merge.
        grown_from: the model that its model was made from, of those that were retained before; None if it has the
            model of the commit before it, or none, and of a merge.
        made: marks of the components of its model that were trained for it; likewise none.
        key: the public key, in hex, that its signature names; None if it is not signed.
        vouched: whether that key did sign it; None if nobody could tell yet.
    """

    oid: str
    gain: float
    grown_from: str | None
    made: tuple[str, ...]
    key: str | None
    vouched: bool | None


class Contributions:
    """What the commits of a working copy brought: from the file as far as that knows, from the objects otherwise."""

    def __init__(self, repo: Repository, vouched_fn: Callable[[str, Commit], bool | None]) -> None:
        """Takes what tells whether a commit is signed by the key it names; None where that cannot be told."""
        self._objects = repo.objects
        self._vouched_fn = vouched_fn
        self._notes = Notes(repo.path / CREDITS_FILE, _VERSION, Contribution)

    def of(self, oid: str) -> Contribution:
        """Returns what a commit brought."""
        found = self._notes.get(oid)
        if found is None:
            return self._notes.add(self._brought(oid))
        if found.key is not None and found.vouched is None:
            vouched = self._vouched_fn(oid, self._objects.commit(oid))
            return found if vouched is None else self._notes.add(msgspec.structs.replace(found, vouched=vouched))
        return found

    def keep(self) -> None:
        """Writes the file again if enough was new to be worth it."""
        self._notes.keep(_WORTH)

    def _brought(self, oid: str) -> Contribution:
        commit = self._objects.commit(oid)
        before = self._objects.commit(commit.parents[0]).model if len(commit.parents) == 1 else None
        is_new = len(commit.parents) < 2 and commit.model != before
        model = _model(self._objects, commit.model) if is_new else None
        grown_from, made = (None, ()) if model is None else _made(self._objects, model)
        signature = commit.signature
        return Contribution(
            oid=oid,
            gain=0.0 if model is None else _gain(self._objects, model, before),
            grown_from=grown_from,
            made=made,
            key=None if signature is None else signature.key,
            vouched=None if signature is None else self._vouched_fn(oid, commit),
        )


def component_mark(component_id: str) -> str:
    """Returns what ``Contribution.made`` tells a component by: the first digits of its id."""
    return component_id[:_MARK]


def _model(objects: ObjectDatabase, oid: str | None) -> Model | None:
    """Returns a manifest; None without one, and if it was purged or is not to be had."""
    try:
        return None if oid is None else objects.model(oid)
    except (CorruptObjectError, NotFoundError):
        return None


def _gain(objects: ObjectDatabase, model: Model, before: str | None) -> float:
    """Returns by how much the score rose, by the scorer of the newer model."""
    after, earlier = model.score, _model(objects, before)
    least = 0.0 if earlier is None else _score_by(model.scorer, earlier)
    return 0.0 if after is None or least is None else max(after - least, 0.0)


def _score_by(judge: Scorer | None, model: Model) -> float | None:
    """Returns the score of a model by a scorer; None where it was scored by another that not everybody has."""
    if judge is None or model.scorer == judge:
        return model.score
    if judge.name not in SCORERS.shipped or model.quality is None or model.costs is None:
        return None
    try:
        return score(model.quality, model.costs, judge)
    except SearchError:
        return None


def _made(objects: ObjectDatabase, model: Model) -> tuple[str | None, tuple[str, ...]]:
    """Returns the retained model that a model was made from, and what it has that that one has not.

    Between both are the children of one iteration, which all were trained for it.
    """
    line = list(_children(objects, model))
    parent = _model(objects, line[-1].parent)
    known = set() if parent is None else {ref.id for ref in parent.components}
    trained = {ref.id for child in line for ref in child.components if ref.trainable and ref.id not in known}
    made = (component_mark(ref.id) for ref in model.components if ref.id in trained and ref.training)
    return line[-1].parent, tuple(made)


def _children(objects: ObjectDatabase, model: Model) -> Iterator[Model]:
    """Yields the model and the line of its parents as far as none was retained."""
    child: Model | None = model
    while child is not None:
        yield child
        child = _model(objects, child.parent)
        if child is not None and child.is_retained:
            return
