"""A model of the repository, loaded to be used: checked, brought if it is elsewhere, its parameters on the device."""

from __future__ import annotations

from dataclasses import dataclass

from mu2net_core.api.context import Context
from mu2net_core.api.machine.runtime import prepare_jax
from mu2net_core.api.models.stored import StoredModel, stored_model
from mu2net_core.api.models.usable import check_usable
from mu2net_core.engine import LoadedModel, Programs, precision_of
from mu2net_core.nn import Precision, family_named
from mu2net_core.objectives import Objective
from mu2net_core.repo import Repository
from mu2net_core.repo.remotes import Counter, Watch, bring_components

__all__ = ["UsedModel", "load_model"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedModel:
    """A stored model that is ready to be run.

    Attributes:
        stored: the model and its task.
        loaded: the same on the device.
        objective: what its outputs mean.
    """

    stored: StoredModel
    loaded: LoadedModel
    objective: Objective


def load_model(
    repo: Repository,
    context: Context,
    revision: str,
    verb: str,
    progress: Watch | None,
    *,
    precision: Precision | None = None,
) -> UsedModel:
    """Loads the model that ``revision`` (a task, commit or model) names.

    Args:
        repo: whose model; what a partial clone lacks of it is brought.
        context: of the call.
        revision: names it.
        verb: what is to be done with it, for errors.
        progress: told of every component that is brought.
        precision: of products; that in which the model was trained if None.

    Raises:
        NotFoundError: no such revision, or no model there yet.
        InvalidInputError: it names something that is not a model of a task.
        NewerError, PluginError, DataError: its task is of a kind that can only be stored here.
        CorruptObjectError: it is not what its architecture asks for.
    """
    stored = stored_model(repo, revision)
    objective = check_usable(stored.task, verb)
    prepare_jax(context)
    model, counter = stored.model, Counter(progress)
    loaded = LoadedModel.of(
        model,
        num_outputs=stored.task.output.size,
        programs=Programs(family=family_named(model.architecture.name), precision=precision or precision_of(model)),
        limits=repo.limits,
        load=repo.objects.component,
        bring=lambda refs: bring_components(repo, refs, what=stored.task.name, counter=counter),
    )
    return UsedModel(stored=stored, loaded=loaded, objective=objective)
