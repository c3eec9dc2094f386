"""Whether a remote's readers may see what would be sent: every object, not only the components.

Judged by the narrowest of all that is known: the rules of the tasks an object tells of, the access of the very task
object it names, and what a component tells of itself. Manifests come from others; the bytes of a component and of a
task cannot be told otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

from mu2net_core.errors import CorruptObjectError, NotFoundError
from mu2net_core.objects import AccessRule, Commit, Label, Model, Snapshot, Task, hidden_training, narrowest
from mu2net_core.repo.core import Manifest
from mu2net_core.repo.remotes.closure import Closure

__all__ = ["refusal", "refused_component", "refused_task"]

TaskOf = Callable[[str], Task]
LabelOf = Callable[[str], Label | None]

_NOBODY = AccessRule(readers=())


def refused_task(task: str, rules: Mapping[str, AccessRule], audience: AccessRule) -> str | None:
    """Returns why a task may not go to ``audience``, or None if it may."""
    return _refused(task, rules.get(task, _NOBODY), audience)


def refusal(
    closure: Closure,
    rules: Mapping[str, AccessRule],
    audience: AccessRule,
    *,
    task_of: TaskOf,
    label_of: LabelOf,
) -> str | None:
    """Returns why ``closure`` may not go to ``audience``, or None if every object in it may.

    Args:
        closure: what would be sent.
        rules: of all tasks, by name.
        audience: who can read what is sent.
        task_of: returns a task object by its id; raises NotFoundError if it is nowhere.
        label_of: returns what a component tells of itself, None if it is not at hand.
    """
    judge = _Judge(rules=rules, audience=audience, task_of=task_of, label_of=label_of)
    reasons = (judge.manifest(value) for _, value in closure.manifests)
    parts = (refused_component(ref.name, ref.training, label_of(ref.id), rules, audience) for ref in closure.components)
    return next((reason for reason in chain(reasons, parts) if reason is not None), None)


def refused_component(
    name: str, trained_by: Iterable[str], label: Label | None, rules: Mapping[str, AccessRule], audience: AccessRule
) -> str | None:
    """Returns why a component may not go to ``audience``, or None if it may.

    Args:
        name: what it is called in the reason.
        trained_by: the tasks that trained it, as manifests tell.
        label: what it tells itself; None if it is not at hand.
        rules: of all tasks, by name.
        audience: who can read what is sent.
    """
    if narrowest(trained_by, label, rules).allows_all(audience):
        return None
    told = sorted({*trained_by, *(label.trained_by if label is not None else ())})
    tasks = [task for task in told if refused_task(task, rules, audience)] or told
    return f"the component {name} was trained with {', '.join(tasks)}, which the remote may not hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judge:
    """Says of manifests why they may not be sent; the attributes are those of ``refusal``."""

    rules: Mapping[str, AccessRule]
    audience: AccessRule
    task_of: TaskOf
    label_of: LabelOf

    def manifest(self, value: Manifest) -> str | None:
        """Returns why a manifest may not be seen, or None if it may."""
        for task in sorted(_mentioned(value)):
            reason = refused_task(task, self.rules, self.audience)
            if reason is not None:
                return reason if isinstance(value, Task | Commit) else f"its history names {reason}"
        return self._named_task(value) or (self._parts(value) if isinstance(value, Model) else None)

    def _named_task(self, value: Manifest) -> str | None:
        """Returns why the very task object that a manifest is, or names, may not be seen."""
        if isinstance(value, Task):
            return _refused(value.name, value.access, self.audience)
        task_id = None if isinstance(value, Snapshot) else value.task_id
        if task_id is None:
            return None
        try:
            task = self.task_of(task_id)
        except NotFoundError:
            return f"it names the task object {task_id[:10]}, which is not here, so that nobody knows who may see it"
        reason = _refused(task.name, task.access, self.audience)
        return reason and f"its history names {reason}"

    def _parts(self, model: Model) -> str | None:
        """Returns why what a model's manifest tells of its components may not be seen, as far as they are at hand."""
        labels = {ref.id: self._label(ref.id) for ref in model.components}
        for ref, hidden in hidden_training(model.components, labels.get):
            return f"a model in its history hides that {', '.join(hidden)} trained its {ref.name}"
        parts = ((ref, labels[ref.id]) for ref in model.components)
        reasons = (refused_component(ref.name, ref.training, label, self.rules, self.audience) for ref, label in parts)
        return next((f"in its history {reason}" for reason in reasons if reason is not None), None)

    def _label(self, oid: str) -> Label | None:
        """Returns the label of a component that need not be sent itself, so that it may be damaged."""
        try:
            return self.label_of(oid)
        except CorruptObjectError:
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


def _refused(task: str, rule: AccessRule, audience: AccessRule) -> str | None:
    if rule.allows_all(audience):
        return None
    if rule.readers == (task,):
        return f"{task} is private, and the remote is for {_readers(audience)}"
    return f"{task} is for {_readers(rule)} only, and the remote is for {_readers(audience)}"


def _readers(rule: AccessRule) -> str:
    if rule.readers is None:
        return "everybody"
    return ", ".join(rule.readers) or "nobody"
