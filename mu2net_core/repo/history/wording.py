"""What happened to a head, and how two sides of one differ, in words for whoever has to live with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mu2net_core.objects import SPLITS, AccessRule, Commit, Output, Task
from mu2net_core.repo.core import PURGED_SOURCE
from mu2net_core.repo.history.merging import Manifests, ancestry, news

__all__ = ["arrived", "by_whom", "differences", "sides"]

_FEW = 5


def by_whom(commit: Commit) -> str:
    """Returns who made a commit: the machine, and the working copy on it."""
    return "a merge" if commit.agent is None else f"by {commit.agent.host} (working copy {commit.agent.id[:10]})"


def sides(manifests: Manifests, ours: str, theirs: str) -> str:
    """Returns whose the two sides of a conflict are, and in what their definitions of the task differ."""
    one, other = manifests.commit(ours), manifests.commit(theirs)
    text = f"Ours is {ours[:10]}, {by_whom(one)}; theirs is {theirs[:10]}, {by_whom(other)}."
    if one.task_id == other.task_id:
        return text
    found = "; ".join(differences(manifests.task(one.task_id), manifests.task(other.task_id)))
    return f"{text} Ours and theirs have {found}." if found else text


def differences(ours: Task, theirs: Task) -> Iterator[str]:
    """Yields in what two definitions of a task differ, ours first; where one was purged, only who may read it."""
    if PURGED_SOURCE not in {ours.source, theirs.source}:
        yield from _other_data(ours, theirs)
    if ours.access != theirs.access:
        yield f"as readers {_readers(ours.access)} and {_readers(theirs.access)}"


def _other_data(ours: Task, theirs: Task) -> Iterator[str]:
    words = {
        "input": (ours.input.kind, theirs.input.kind),
        "output": (ours.output.kind, theirs.output.kind),
        "metric": (ours.metric, theirs.metric),
    }
    for what, (word, their_word) in words.items():
        if word != their_word:
            yield f"as {what} {word} and {their_word}"
    yield from _other_labels(ours.output, theirs.output)
    for name in SPLITS:
        one, other = ours.splits[name], theirs.splits[name]
        if one.num_examples != other.num_examples:
            yield f"{one.num_examples} and {other.num_examples} {name} examples"
        elif one.fingerprint != other.fingerprint:
            yield f"{one.num_examples} {name} examples each, but other ones"
    if (ours.source, ours.options) != (theirs.source, theirs.options):
        yield f"the data {_data(ours)} and {_data(theirs)}"


def arrived(manifests: Manifests, before: str, after: str, theirs: str) -> str | None:
    """Returns what a user should know of a head that moved; None if there is nothing.

    That is: what it lost, and how to get it back; that the task was brought back; that its sides define it differently.

    Args:
        manifests: where commits and models are.
        before: the commit it stood at.
        after: the commit it stands at now.
        theirs: what it was made to include.
    """
    new = news(manifests, before, after)
    found = (
        _brought_back(manifests, before, after, new),
        _redefined(manifests, before, after, theirs),
        _left_behind(manifests, before, after, theirs, new),
    )
    return "; ".join(filter(None, found)) or None


def _brought_back(manifests: Manifests, before: str, after: str, came: Sequence[str]) -> str | None:
    """Returns who removed and who added a task again, if it is there after that; ``came`` are the commits that came."""
    if manifests.commit(after).removed:
        return None
    new = [commit for oid in came if (commit := manifests.commit(oid)).agent is not None]
    last = next((index for index, commit in enumerate(new) if commit.removed), None)
    known = manifests.commit(before).removed
    if last == 0 or (last is None and not known):
        return None
    removed = "" if last is None or known else f"removed {by_whom(new[last])}, then "
    return f"{removed}brought back {by_whom(new[-1] if last is None else new[last - 1])}" if new else None


def _redefined(manifests: Manifests, ours: str, after: str, theirs: str) -> str | None:
    """Returns in what the definitions differ that were joined, and which of them holds."""
    one, other, kept = (manifests.commit(oid).task_id for oid in (ours, theirs, after))
    if one == other or after == theirs:
        return None
    found = "; ".join(differences(manifests.task(one), manifests.task(other)))
    return f"defined differently: {found}; {'ours' if kept == one else 'theirs'} holds" if found else None


def _left_behind(manifests: Manifests, before: str, after: str, theirs: str, came: Sequence[str]) -> str | None:
    """Returns what a head lost, and how to get it back; None if nothing. The last are the commits that came."""
    old, new = manifests.commit(before), manifests.commit(after)
    back = f"back with: mu2net reset {old.task} {before[:10]}"
    if new.removed and not old.removed:
        return f"removed {_remover(manifests, came)}; {back}"
    if old.removed or old.model is None or old.model == new.model:
        return None
    ours = f"your model {old.model[:10]}{_quality(manifests, old.model)}"
    reset = _reset_behind(manifests, before, came)
    if reset is not None:
        commit = manifests.commit(reset)
        return f"reset to {(commit.reset_to or '')[:10]} {by_whom(commit)}, which leaves {ours} behind; {back}"
    if after == theirs or new.model is None:
        return None
    return f"theirs{_quality(manifests, new.model)} is kept over {ours}; {back}"


def _remover(manifests: Manifests, came: Sequence[str]) -> str:
    removing = [commit for commit in map(manifests.commit, came) if commit.removed and commit.agent is not None]
    return by_whom(removing[-1]) if removing else "over there"


def _reset_behind(manifests: Manifests, before: str, came: Sequence[str]) -> str | None:
    """Returns the newest reset that came and went to a state without what ``before`` had."""
    for oid in came:
        target = manifests.commit(oid).reset_to
        if target is not None and before not in ancestry(manifests, [target]):
            return oid
    return None


def _quality(manifests: Manifests, model_id: str) -> str:
    quality = manifests.model(model_id).quality
    return "" if quality is None else f" ({100 * quality:.2f}%)"


def _other_labels(one: Output, other: Output) -> Iterator[str]:
    ours, theirs = one.labels, other.labels
    if one.kind != other.kind or ours == theirs:
        return
    if sorted(ours) == sorted(theirs):
        yield f"the same {one.kind} in another order"
        return
    same = len(ours) == len(theirs)
    text = f"{len(ours)} {one.kind} each, but other ones" if same else f"{len(ours)} and {len(theirs)} {one.kind}"
    only = {"ours": [c for c in ours if c not in theirs], "theirs": [c for c in theirs if c not in ours]}
    named = [f"only {whose}: {_listed(names)}" for whose, names in only.items() if names]
    yield f"{text} ({'; '.join(named)})" if named else text


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_FEW]) + ", ..." * (len(names) > _FEW)


def _data(task: Task) -> str:
    options = " ".join(f"{name}={value}" for name, value in sorted(task.options.items()))
    return f"{task.source} {options}".strip()


def _readers(rule: AccessRule) -> str:
    return "everybody" if rule.readers is None else ", ".join(rule.readers) or "nobody"
