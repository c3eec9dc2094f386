"""``ancestry``: where every layer of a model comes from, and what each task taught it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from mu2net_core.api.looking.names import find_model
from mu2net_core.errors import NotFoundError
from mu2net_core.insight import (
    Ancestor,
    ComponentLineage,
    Transfer,
    ancestors,
    component_lineages,
    model_chain,
    transfer,
)
from mu2net_core.objects import Model
from mu2net_core.repo import Repository

__all__ = ["Ancestry", "ancestry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancestry:
    """The lineage of a model.

    Attributes:
        task: what the model solves; None for a root.
        model: its id.
        root: the root model it descends from; itself for a root.
        components: the line of each layer, in the model's order.
        ancestors: the line of models, newest first, the model itself included.
        transfer: shares of the gradient steps each task gave.
    """

    task: str | None
    model: str
    root: str
    components: tuple[ComponentLineage, ...]
    ancestors: tuple[Ancestor, ...]
    transfer: Transfer


def ancestry(repo: Repository, revision: str) -> Ancestry:
    """Returns the lineage of the model that ``revision`` names.

    Raises:
        NotFoundError: nothing is called so, or the task has no model yet.
        InvalidInputError: it names something that has no one model.
    """
    found = find_model(repo, revision)
    model_fn = partial(_model, repo)
    chain = model_chain(found.id, model_fn)
    return Ancestry(
        task=found.model.task,
        model=found.id,
        root=found.model.root or found.id,
        components=component_lineages(chain, model_fn),
        ancestors=ancestors(chain),
        transfer=transfer(found.model),
    )


def _model(repo: Repository, oid: str) -> Model | None:
    """Returns a manifest, or None if it is not here, as in a partial clone."""
    try:
        return repo.objects.model(oid)
    except NotFoundError:
        return None
