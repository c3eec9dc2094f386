"""Checks who learned from whom over the whole history."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from mu2net_core.errors import Mu2netError
from mu2net_core.objects import PUBLIC, AccessRule, ComponentRef, Snapshot, hidden_training, intersect, may_read
from mu2net_core.repo.checking.check_walk import Walk
from mu2net_core.repo.core import complete, snapshot_chain

__all__ = ["check_access"]

_Rules = Mapping[str, AccessRule]


def check_access(walk: Walk) -> None:
    """Reports manifests that hide who trained their components, and models that hold what their task may not read.

    A rule that was made narrower later cannot unlearn what was learned before: that is a warning. By today's rules such
    a model is not pushed to anybody who may not read it.
    """
    _check_training(walk)
    _check_labels(walk)
    _check_absent(walk)
    rules = _rules(walk)
    first = _first_commits(walk)
    for model_id in walk.reached_models():
        model = walk.scan.models[model_id]
        for ref in model.components if model.task is not None else ():
            if not may_read(str(model.task), ref.training, rules):
                _report(walk, model_id, ref, rules, _rules_then(walk, first.get(model_id), ref, rules))


def _report(walk: Walk, model_id: str, ref: ComponentRef, rules: _Rules, then: _Rules) -> None:
    task = str(walk.scan.models[model_id].task)
    others = sorted(set(ref.training) - {task})
    refused = ", ".join([other for other in others if not may_read(task, [other], rules)] or others)
    if may_read(task, ref.training, then):
        message = (
            f"The task {task} learned in {ref.name} from {refused} when that was allowed; fewer may now. It is "
            f"not pushed to others any more; to let go of it, purge {task}."
        )
        walk.warn("access", f"model/{model_id}", message)
    else:
        message = f"The task {task} uses in {ref.name} what only {refused} may share."
        walk.report("access", f"model/{model_id}", message)


def _first_commits(walk: Walk) -> dict[str, str]:
    """Returns the commit that retained each model first."""
    first: dict[str, str] = {}
    found = sorted((c.finished_at, oid) for oid, c in walk.scan.commits.items() if ("commit", oid) in walk.reached)
    for _, oid in found:
        model_id = walk.scan.commits[oid].model
        if model_id is not None:
            first.setdefault(model_id, oid)
    return first


def _rules_then(walk: Walk, commit_id: str | None, ref: ComponentRef, rules: _Rules) -> _Rules:
    """Returns the rules when a model was made: those of the heads its commit saw; of others, what they began with."""
    heads: Mapping[str, str] = {}
    snapshot = walk.scan.commits[commit_id].snapshot if commit_id is not None else None
    if snapshot is not None:
        try:
            chain = snapshot_chain(snapshot, partial(_stored, walk))
            heads = complete(chain).heads
        except (KeyError, Mu2netError):
            heads = {}
    return {**rules, **{task: _rule_at(walk, task, heads.get(task)) for task in ref.training}}


def _stored(walk: Walk, oid: str) -> Snapshot:
    return walk.scan.snapshots[oid]


def _rule_at(walk: Walk, task: str, head: str | None) -> AccessRule:
    """Returns a task's rule at one of its commits; without one, or if that is gone, the rule it began with."""
    if head is not None and head in walk.scan.commits:
        pending, seen, named = [head], {head}, set[str]()
        for oid in pending:  # grows while it is walked
            commit = walk.scan.commits[oid]
            named.add(commit.task_id)
            fresh = [parent for parent in commit.parents if parent in walk.scan.commits and parent not in seen]
            seen.update(fresh)
            pending += fresh
        return intersect(walk.scan.tasks[oid].access for oid in named if oid in walk.scan.tasks)
    begun = [c for c in walk.scan.commits.values() if c.task == task and not c.parents]
    if any(commit.removed for commit in begun):
        return walk.purged.rules.get(task, PUBLIC)  # it was purged, and with it how it began
    known = [walk.scan.tasks[commit.task_id].access for commit in begun if commit.task_id in walk.scan.tasks]
    return known[0] if len(known) == 1 else intersect(known) if known else AccessRule(readers=())


def _check_training(walk: Walk) -> None:
    """Reports every component that forgets who trained what it came from: the access rules rest on that."""
    known: dict[str, list[ComponentRef]] = {}
    for model in walk.scan.models.values():
        for ref in model.components:
            known.setdefault(ref.id, []).append(ref)
    for model_id in walk.reached_models():
        model = walk.scan.models[model_id]
        parent = walk.scan.models.get(model.parent or "")
        for ref in model.components:
            shared = parent.component(ref.name) if parent else None
            sources = [shared] if shared is not None and shared.id == ref.id else known.get(ref.parent or "", [])
            merge = (model.merges or {}).get(ref.name)
            for told in (sources, known.get(merge.component, []) if merge is not None else []):
                if told and not any(_covers(ref, source) for source in told):
                    message = f"Its {ref.name} names fewer tasks or steps than the component it came from."
                    walk.report("access", f"model/{model_id}", message)


def _check_labels(walk: Walk) -> None:
    """Reports every manifest that tells of less training than a component itself does."""
    for model_id in walk.reached_models():
        for ref, hidden in hidden_training(walk.scan.models[model_id].components, walk.scan.labels.get):
            message = f"Its {ref.name} tells of no training by {', '.join(hidden)}; the component itself does."
            walk.report("forged", f"model/{model_id}", message)


def _check_absent(walk: Walk) -> None:
    """Reports, of components that are not here, every manifest that tells of less training than another one."""
    refs = [
        (model_id, ref)
        for model_id in walk.reached_models()
        for ref in walk.scan.models[model_id].components
        if ref.id not in walk.scan.components
    ]
    told: dict[str, dict[str, str]] = {}
    for model_id, ref in refs:
        told.setdefault(ref.id, {}).update(dict.fromkeys(ref.training, model_id))
    for model_id, ref in refs:
        hidden = sorted(told[ref.id].keys() - ref.training.keys())
        if hidden:
            message = (
                f"Its {ref.name} tells of no training by {', '.join(hidden)}, and that of model "
                f"{told[ref.id][hidden[0]][:16]} does: one of them is forged. The component itself is not here."
            )
            walk.report("forged", f"model/{model_id}", message)


def _covers(ref: ComponentRef, source: ComponentRef) -> bool:
    """Returns whether ``ref`` tells of all the training that ``source`` tells of."""
    return all(t in ref.training and ref.training[t].steps >= told.steps for t, told in source.training.items())


def _rules(walk: Walk) -> _Rules:
    """Returns per task what all its commits grant, and what its purges left.

    Of a task that no ref reaches, those commits count that were only fetched.
    """
    reached: dict[str, list[AccessRule]] = {}
    others: dict[str, list[AccessRule]] = {}
    for commit_id, commit in walk.scan.commits.items():
        if commit.task_id in walk.scan.tasks:
            found = reached if ("commit", commit_id) in walk.reached else others
            found.setdefault(commit.task, []).append(walk.scan.tasks[commit.task_id].access)
    left = walk.purged.rules
    return {task: intersect([*rules, left.get(task, PUBLIC)]) for task, rules in {**others, **reached}.items()}
