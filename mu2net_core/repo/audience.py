"""Whether a remote's readers may see what a push would send: every object, not only the components."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mu2net_core.objects import AccessRule, Commit, Snapshot, Task, component_rule
from mu2net_core.repo.closure import Closure
from mu2net_core.repo.database import Manifest

__all__ = ["refusal", "refused_task"]

_NOBODY = AccessRule(readers=())


def refused_task(task: str, rules: Mapping[str, AccessRule], audience: AccessRule) -> str | None:
    """Returns why a task may not go to ``audience``, or None if it may."""
    rule = rules.get(task, _NOBODY)
    if rule.allows_all(audience):
        return None
    if rule.readers == (task,):
        return f"{task} is private, and the remote is for {_readers(audience)}"
    return f"{task} is for {_readers(rule)} only, and the remote is for {_readers(audience)}"


def refusal(closure: Closure, rules: Mapping[str, AccessRule], audience: AccessRule) -> str | None:
    """Returns why ``closure`` may not go to ``audience``, or None if every object in it may.

    Checked are the tasks each manifest is of, names, or was trained on, and the rule of every component.
    """
    for _, value in closure.manifests:
        for task in sorted(_mentioned(value)):
            reason = refused_task(task, rules, audience)
            if reason is not None:
                return reason if isinstance(value, Task | Commit) else f"its history names {reason}"
    for ref in closure.components:
        if not component_rule(ref.training, rules).allows_all(audience):
            tasks = (task for task in sorted(ref.training) if refused_task(task, rules, audience))
            return f"the component {ref.name} was trained with {', '.join(tasks)}, which the remote may not hold"
    return None


def _mentioned(value: Manifest) -> Iterable[str]:
    """Returns the tasks a reader of the manifest learns of."""
    if isinstance(value, Task):
        return {value.name}
    if isinstance(value, Commit):
        return {value.task}
    if isinstance(value, Snapshot):
        return set(value.heads)
    return value.trained_by if value.task is None else value.trained_by | {value.task}


def _readers(rule: AccessRule) -> str:
    if rule.readers is None:
        return "everybody"
    return ", ".join(rule.readers) or "nobody"
