"""The whole system as a value: what an agent looks at, with every manifest and no arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mu2net_core.objects.access import PUBLIC, AccessRule, component_rule, may_read
from mu2net_core.objects.commit import Commit
from mu2net_core.objects.model import Model
from mu2net_core.objects.task import Task

__all__ = ["Head", "System"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where one task stands: its newest commit, and the task and model that commit names.

    Attributes:
        commit_id: the commit's id.
        commit: the newest one.
        task: it names.
        model: that children are made from: the one it names, or the one that this is a refit of; None before the first.
        refit: the model it names, where that is a refit: it is used, and nothing is made from it.
    """

    commit_id: str
    commit: Commit
    task: Task
    model: Model | None
    refit: Model | None = None

    @property
    def model_id(self) -> str | None:
        """The id of ``model``, None before the first one."""
        return self.commit.model if self.refit is None else self.refit.refit_of


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """All models retained for all tasks, and the roots.

    Attributes:
        heads: by task name; removed tasks are not in it.
        roots: root model by its id.
        rules: access rule by task name, of every task the history knows (removed ones too).
        ancestors: further manifests by id: those that lineages of the heads' models pass through.
        kept: ids of the models that commits of the history retain, older ones than the heads' too.
        strangers: models of other architectures by id, which have no children here, but blocks that children of the
            active task may take over, and its commits may name.
    """

    heads: Mapping[str, Head]
    roots: Mapping[str, Model]
    rules: Mapping[str, AccessRule]
    ancestors: Mapping[str, Model]
    kept: frozenset[str] = frozenset()
    strangers: Mapping[str, Model] = field(default_factory=dict)

    def model(self, model_id: str) -> Model | None:
        """Returns the manifest of a retained model, a root or a known ancestor, or None."""
        if model_id in self.roots:
            return self.roots[model_id]
        for head in self.heads.values():
            if head.model_id == model_id:
                return head.model
        return self.ancestors.get(model_id)

    def may_use(self, task: str, model: Model) -> bool:
        """Returns whether the task called ``task`` may read *every* component of ``model``."""
        return all(may_read(task, ref.training, self.rules) for ref in model.components)

    def may_name(self, task: str, other: str) -> bool:
        """Returns whether a commit of ``task`` may name the head of ``other``: its own, or one that all may see.

        That is one whose model ``task`` may use, and whoever reads ``task`` may read, too. What such a commit tells
        follows from these heads alone, or it would tell of what it may not name.
        """
        head = self.heads[other]
        model = self.strangers.get(head.model_id or "") if head.model is None else head.model
        if other == task or model is None:
            return other == task
        rule = component_rule({*model.trained_by, other}, self.rules)
        return self.may_use(task, model) and rule.allows_all(self.rules.get(task, PUBLIC))

    def keeps(self, model_id: str) -> bool:
        """Returns whether the arrays of a model exist; of other ancestors only the manifest may be here."""
        return model_id in self.kept or model_id in self.retained()

    def retained(self) -> dict[str, Model]:
        """Returns every head's model and every root, by id."""
        models = dict(self.roots)
        for head in self.heads.values():
            if head.model is not None and head.model_id is not None:
                models[head.model_id] = head.model
        return models
