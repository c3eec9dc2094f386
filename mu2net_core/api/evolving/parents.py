"""Which models of a system children can be made from: those of others are checked before anything is built on them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from mu2net_core.api.context import Context
from mu2net_core.api.models.usable import check_usable
from mu2net_core.engine import can_give_blocks, unfit_parent
from mu2net_core.errors import CorruptObjectError, DataError, NewerError, PluginError
from mu2net_core.nn import PUBLISHED, ArchitectureFamily
from mu2net_core.objects import Head, Hyperparameter, Limits, Model, System, Task, hidden_training, unknown_in
from mu2net_core.presets import Preset
from mu2net_core.repo.remotes import LabelOf

__all__ = ["ParentCheck"]

_OTHER_PRESET = "it is of another preset"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentCheck:
    """Leaves models out that no child can be made from, and says so once for each.

    Attributes:
        context: is told.
        preset: that is evolved.
        family: of its architecture.
        limits: of what is built.
        label_of: returns whose data trained a component, None if it is not here.
        is_one_of_several: whether the system has models of other presets, too: that these are no parents is no news.
    """

    context: Context
    preset: Preset
    family: ArchitectureFamily
    limits: Limits
    label_of: LabelOf
    is_one_of_several: bool = False
    _reasons: dict[str, str | None] = field(default_factory=dict)
    _giving: dict[str, bool] = field(default_factory=dict)

    def of(self, system: System, task: str) -> System:
        """Returns ``system`` without the models that cannot be parents; those whose blocks can cross are its strangers.

        Raises:
            NewerError, PluginError, DataError: this version cannot train ``task``.
            CorruptObjectError: the model of ``task`` itself is one of them, and not for being of another preset.
        """
        check_usable(system.heads[task].task, "evolve")
        heads = {name: self._head(name, head, task) for name, head in system.heads.items()}
        roots = {oid: model for oid, model in system.roots.items() if self._is_fit(oid, model, f"the root {oid[:10]}")}
        strangers = self._strangers(system, task) if self.preset.space.crossing else {}
        return replace(system, heads=heads, roots=roots, strangers=strangers)

    def is_fit(self, oid: str, model: Model, task: Task) -> bool:
        """Returns whether children can be made from an earlier model of ``task``; what is not is no news."""
        return self._is_fit(oid, model, "", task=task, warn=False)

    def _strangers(self, system: System, task: str) -> dict[str, Model]:
        """Returns the models of other architectures whose blocks children of ``task`` may take over."""
        return {
            head.model_id: head.model
            for name, head in system.heads.items()
            if head.model is not None and head.model_id is not None
            if self._can_give(head.model_id, head.model, head.task) and system.may_name(task, name)
        }

    def _can_give(self, oid: str, model: Model, task: Task) -> bool:
        width = int(self.preset.architecture.config.get("width", 0))
        if oid not in self._giving:
            self._giving[oid] = (
                model.architecture.name != self.family.name
                and unknown_in(model) is None
                and can_give_blocks(model, self.family, width, task.output.size, self.limits)
                and self._why_forged(model) is None
            )
        return self._giving[oid]

    def _head(self, name: str, head: Head, task: str) -> Head:
        if head.model is None or head.model_id is None:
            return head
        if self._is_fit(head.model_id, head.model, f"the model of {name}", task=head.task, warn=name != task):
            return head
        if name == task and self._reasons[head.model_id] != _OTHER_PRESET:
            raise CorruptObjectError(
                f"The model of {name} ({head.model_id[:10]}) cannot be trained further: {self._reasons[head.model_id]}",
                hint=f"Go back to an earlier one: mu2net reflog {name}, then mu2net reset {name} ID",
            )
        return replace(head, model=None)

    def _is_fit(self, oid: str, model: Model, what: str, *, task: Task | None = None, warn: bool = True) -> bool:
        if oid not in self._reasons:
            foreign = self.is_one_of_several and self._is_foreign(model)
            self._reasons[oid] = _OTHER_PRESET if foreign else self._why_unfit(model, task)
            if warn and not foreign and self._reasons[oid] is not None:
                self.context.warn(f"{what} is not used as a parent: {self._reasons[oid]}")
        return self._reasons[oid] is None

    def _is_foreign(self, model: Model) -> bool:
        """Returns whether a model is of another preset, and of other sizes than children of this one can have.

        Presets that differ in their images alone have layers in common, where the search space says what sizes a
        child's images have.
        """
        mine, image, size = self.preset.architecture, "image", self.family.vocabulary.input
        if model.architecture.name != mine.name:
            return True
        own, theirs = (_made_here(one.config) for one in (mine, model.architecture))
        if theirs == own:
            return False
        alike = {**theirs, image: own.get(image)} == {image: None, **own}
        return not alike or size not in self.preset.space.values

    def _why_unfit(self, model: Model, task: Task | None) -> str | None:
        if (unknown := unknown_in(model)) is not None:
            return f"it was made by a newer mu2net: {unknown}"
        try:
            if task is not None:
                check_usable(task, "learn from")
        except (DataError, NewerError, PluginError) as exc:
            return exc.message
        num_outputs = 1 if task is None else task.output.size
        reason = unfit_parent(model, self.family, self.preset.space, num_outputs, self.limits)
        return reason or self._why_forged(model)

    def _why_forged(self, model: Model) -> str | None:
        """Returns what a manifest hides of the training of components that are here: who may use it cannot be told."""
        with suppress(CorruptObjectError):  # one is damaged, which is said where it is used
            for ref, hidden in hidden_training(model.components, self.label_of):
                return f"it hides that data of {', '.join(hidden)} trained its {ref.name}"
        return None


def _made_here(config: Mapping[str, Hyperparameter]) -> dict[str, Hyperparameter]:
    """Returns what of an architecture's config a published model does not bring."""
    return {name: value for name, value in config.items() if name not in PUBLISHED}
