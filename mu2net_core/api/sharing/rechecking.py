"""Two heads that different hardware measured, and that differ by less than it may: both are measured again, here.

A merge goes by what manifests tell, so that it is the same whoever makes it. Another kind of device, or products in
bfloat16, tell a few examples otherwise. Where that could turn the order round, whoever joins the heads measures both
models in float32. If the order then is the other one, that is his decision: a commit with an author, as with ``ours``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from mu2net_core.api.context import Context
from mu2net_core.api.signing.signing import commit_signer, committer
from mu2net_core.errors import Mu2netError, PluginError
from mu2net_core.objects import Commit, Model
from mu2net_core.repo import Repository
from mu2net_core.repo.history import choose, contenders, merge
from mu2net_core.scoring import rank_key, score

__all__ = ["could_differ", "decided"]

_SAME_PRECISION, _OTHER_PRECISION = 0.001, 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    commit: str
    model_id: str
    model: Model


def decided(repo: Repository, context: Context, ours: str, theirs: str) -> Commit | None:
    """Returns what joins two heads if measuring both models again turns round which is better; None if it does not.

    So it is where the same hardware measured both, where they are further apart than that could be, and where they
    cannot be measured here, which the context is told.

    Args:
        repo: which has both.
        context: of this process.
        ours: a head's commit.
        theirs: the other one's.
    """
    try:
        sides = _in_doubt(repo, ours, theirs)
    except PluginError:  # a rule that is not here: the one that both were scored by, as far as that is known
        return None
    if sides is None:
        return None
    winner, loser = sides
    task = repo.objects.commit(ours).task
    try:
        found = [_measured_again(repo, context, side) for side in sides]
    except Mu2netError as exc:
        context.warn(
            f"{task}: {_named(winner)} is better than {_named(loser)} by less than hardware may differ, and they "
            f"cannot be measured again here: {exc.message.rstrip('.')}. What was told of them counts."
        )
        return None
    again, other = (
        rank_key(_scored(side.model, quality, winner.model)) for side, quality in zip(sides, found, strict=True)
    )
    if other <= again:
        return None
    context.warn(
        f"{task}: measured again in float32, {_named(loser)} has {found[1]:.2%} and {_named(winner)} {found[0]:.2%}: "
        "the first is kept, though the second was told to be better."
    )
    kept = choose(
        repo.objects,
        keep=loser.commit,
        other=winner.commit,
        agent=committer(repo, context),
        now=context.timestamp(),
    )
    return commit_signer(repo, context)(kept)


def could_differ(one: Model, other: Model, num_examples: int) -> float:
    """Returns by how much the qualities of two models may differ for being measured by different hardware alone.

    One example in a thousand, at least one; one in a hundred where one of them was measured in bfloat16. Nothing if it
    was the same hardware, or nobody told.
    """
    if one.hardware == other.hardware or None in {one.device_kind, other.device_kind}:
        return 0.0
    share = _SAME_PRECISION if one.hardware[1] == other.hardware[1] else _OTHER_PRECISION
    return ceil(share * num_examples) / num_examples


def _in_doubt(repo: Repository, ours: str, theirs: str) -> Sequence[_Side] | None:
    """Returns the winner of two heads and the other one, if it may have won by what measured it alone."""
    commits = [repo.objects.commit(oid) for oid in (ours, theirs)]
    if len({commit.task_id for commit in commits}) > 1 or any(one.model is None or one.removed for one in commits):
        return None
    if len(contenders(repo.objects, (ours, theirs))) < 2:
        return None
    sides = [
        _Side(commit=oid, model_id=str(commit.model), model=repo.objects.model(str(commit.model)))
        for oid, commit in zip((ours, theirs), commits, strict=True)
    ]
    examples = _num_examples(repo, sides[0].model, commits[0].task_id)
    bound = could_differ(sides[0].model, sides[1].model, examples)
    if not bound or examples != _num_examples(repo, sides[1].model, commits[1].task_id):
        return None
    kept = merge(repo.objects, [ours, theirs])[1].model
    winner, loser = sorted(sides, key=lambda side: side.model_id != kept)
    if winner.model_id != kept or winner.model.quality is None:
        return None
    least = rank_key(_scored(winner.model, max(winner.model.quality - bound, 0.0), winner.model))
    return (winner, loser) if least <= rank_key(_scored(loser.model, loser.model.quality, winner.model)) else None


def _num_examples(repo: Repository, model: Model, task_id: str) -> int:
    return model.validation_examples or repo.objects.task(task_id).splits["validation"].num_examples


def _measured_again(repo: Repository, context: Context, side: _Side) -> float:
    from mu2net_core.api.models.remeasure import remeasured  # jax comes along

    examples = _num_examples(repo, side.model, repo.objects.commit(side.commit).task_id)
    return remeasured(repo, context, side.model_id, examples)


def _scored(model: Model, quality: float | None, by: Model) -> float | None:
    """Returns the score of a quality with a model's costs, by the rule of the model ``by``, if both are told."""
    if quality is None or model.costs is None or by.scorer is None:
        return quality
    return score(quality, model.costs, by.scorer)


def _named(side: _Side) -> str:
    device, precision, layout = side.model.hardware
    return f"the model {side.model_id[:10]} ({', '.join(filter(None, (device, precision, layout)))})"
