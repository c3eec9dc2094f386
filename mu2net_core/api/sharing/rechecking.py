"""Two heads that different hardware measured, and that differ by less than it may: both are measured again, here.

A merge goes by what manifests tell, so that it is the same whoever makes it. Another kind of device, or products in
bfloat16, tell a few examples otherwise. Where that could turn the order round, whoever joins the heads measures both
models in float32 on the CPU. If the order then is the other one, that is his decision: a commit with an author, as with
``ours``. Each model is measured once in a working copy, and all of one exchange together take no longer than so long.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil

from mu2net_core.api.context import Context
from mu2net_core.api.models.apart import measured_apart
from mu2net_core.api.signing.signing import commit_signer, committer
from mu2net_core.errors import DeviceError, Mu2netError, PluginError
from mu2net_core.objects import Commit, Model
from mu2net_core.repo import Repository
from mu2net_core.repo.history import MEASURED_FILE, Notes, basis_of, choose, contenders, merge
from mu2net_core.scoring import rank_key, score

__all__ = ["MOST_S", "Rechecking", "could_differ"]

MOST_S = 120.0
"""So long all measurements of one exchange may take: what hardware differs by is not worth more."""

_SAME_PRECISION, _OTHER_PRECISION = 0.001, 0.01
_VERSION = b"measured 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    commit: str
    model_id: str
    measured_id: str
    model: Model
    num_examples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """The quality of a model that was measured again; ``oid`` is its id and the number of examples."""

    oid: str
    quality: float


@dataclass(slots=True, kw_only=True)
class Rechecking:
    """Measures models again where heads are joined, in one exchange.

    Attributes:
        repo: which has both sides.
        context: of this process, told of every measurement before it begins.
        left_s: how long measurements may still take.
        clock: seconds.
    """

    repo: Repository
    context: Context
    left_s: float = MOST_S
    clock: Callable[[], float] = time.monotonic
    _notes: Notes[_Known] | None = field(default=None, init=False)

    def decided(self, ours: str, theirs: str) -> Commit | None:
        """Returns what joins two heads if measuring both models again turns round which is better; else None.

        So it is where the same hardware measured both, where they are further apart than that could be, and where they
        cannot be measured here, or not in time, which the context is told.

        Args:
            ours: a head's commit.
            theirs: the other one's.
        """
        try:
            sides = _in_doubt(self.repo, ours, theirs)
        except PluginError:  # a rule that is not here: the one that both were scored by, as far as that is known
            return None
        if sides is None:
            return None
        winner, loser = sides
        task = self.repo.objects.commit(ours).task
        try:
            found = self._qualities(task, sides)
        except Mu2netError as exc:
            self.context.warn(
                f"{task}: {_named(winner)} is better than {_named(loser)} by less than hardware may differ, and they "
                f"cannot be measured again here: {exc.message.rstrip('.')}. What was told of them counts."
            )
            return None
        again, other = (
            rank_key(_scored(side.model, quality, winner.model)) for side, quality in zip(sides, found, strict=True)
        )
        if other <= again:
            return None
        self.context.warn(
            f"{task}: measured again in float32, {_named(loser)} has {found[1]:.2%} and {_named(winner)} "
            f"{found[0]:.2%}: the first is kept, though the second was told to be better."
        )
        kept = choose(
            self.repo.objects,
            keep=loser.commit,
            other=winner.commit,
            agent=committer(self.repo, self.context),
            now=self.context.timestamp(),
        )
        return commit_signer(self.repo, self.context)(kept)

    def _qualities(self, task: str, sides: Sequence[_Side]) -> list[float]:
        """Returns what both models are worth, as far as it is not noted by measuring; says so before."""
        if self._notes is None:
            self._notes = Notes(self.repo.path / MEASURED_FILE, _VERSION, _Known)
        new = [side for side in sides if self._notes.get(_key(side)) is None]
        if new and self.left_s > 0:
            models = " and ".join(_named(side) for side in new)
            self.context.warn(
                f"{task}: measuring {models} again in float32 on {new[0].num_examples} examples, as what is on both "
                f"sides differs by less than hardware may; for {self.left_s:.0f} s at most"
            )
        for side in new:
            self._notes.add(_Known(oid=_key(side), quality=self._quality(side)))
            self._notes.keep(1)
        return [known.quality for side in sides if (known := self._notes.get(_key(side))) is not None]

    def _quality(self, side: _Side) -> float:
        if self.left_s <= 0:
            raise DeviceError(f"What this exchange measured took {MOST_S:.0f} s, as long as it may.")
        began = self.clock()
        try:
            return measured_apart(self.repo, self.context, side.measured_id, side.num_examples, self.left_s)
        finally:
            self.left_s -= self.clock() - began


def could_differ(one: Model, other: Model, num_examples: int) -> float:
    """Returns by how much the qualities of two models may differ for being measured by different hardware alone.

    One example in a thousand, at least one; one in a hundred where one of them was measured in bfloat16. Nothing if it
    was the same hardware, or nobody told.
    """
    if one.hardware == other.hardware or None in {one.device_kind, other.device_kind}:
        return 0.0
    share = _SAME_PRECISION if one.hardware[1] == other.hardware[1] else _OTHER_PRECISION
    return ceil(share * num_examples) / num_examples


def _in_doubt(repo: Repository, ours: str, theirs: str) -> tuple[_Side, _Side] | None:
    """Returns the winner of two heads and the other one, if it may have won by what measured it alone."""
    commits = [repo.objects.commit(oid) for oid in (ours, theirs)]
    if len({commit.task_id for commit in commits}) > 1 or any(one.model is None or one.removed for one in commits):
        return None
    if len(contenders(repo.objects, (ours, theirs))) < 2:
        return None
    sides = [_side(repo, oid, commit) for oid, commit in zip((ours, theirs), commits, strict=True)]
    examples = sides[0].num_examples
    bound = could_differ(sides[0].model, sides[1].model, examples)
    if not bound or examples != sides[1].num_examples:
        return None
    kept = merge(repo.objects, [ours, theirs])[1].model
    winner, loser = sorted(sides, key=lambda side: side.model_id != kept)
    if winner.model_id != kept or winner.model.quality is None:
        return None
    least = rank_key(_scored(winner.model, max(winner.model.quality - bound, 0.0), winner.model))
    return (winner, loser) if least <= rank_key(_scored(loser.model, loser.model.quality, winner.model)) else None


def _side(repo: Repository, oid: str, commit: Commit) -> _Side:
    measured_id = str(basis_of(repo, commit))  # validation examples tell nothing of a refit
    model = repo.objects.model(measured_id)
    examples = model.validation_examples or repo.objects.task(commit.task_id).splits["validation"].num_examples
    return _Side(commit=oid, model_id=str(commit.model), measured_id=measured_id, model=model, num_examples=examples)


def _key(side: _Side) -> str:
    return f"{side.measured_id} {side.num_examples}"


def _scored(model: Model, quality: float | None, by: Model) -> float | None:
    """Returns the score of a quality with a model's costs, by the rule of the model ``by``, if both are told."""
    if quality is None or model.costs is None or by.scorer is None:
        return quality
    return score(quality, model.costs, by.scorer)


def _named(side: _Side) -> str:
    device, precision, layout = side.model.hardware
    return f"the model {side.model_id[:10]} ({', '.join(filter(None, (device, precision, layout)))})"
