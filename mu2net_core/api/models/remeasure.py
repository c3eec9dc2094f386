"""A model's quality, measured again in float32 on this machine, whatever measured it first."""

from __future__ import annotations

from mu2net_core.api.context import Context
from mu2net_core.api.machine.runtime import split_at
from mu2net_core.api.models.loading import load_model
from mu2net_core.engine import measure
from mu2net_core.repo import Repository

__all__ = ["remeasured"]


def remeasured(repo: Repository, context: Context, model_id: str, num_examples: int) -> float:
    """Returns a model's quality on the first so many validation examples.

    Raises:
        Mu2netError: the data, the components or a device are not to be had here.
    """
    used = load_model(repo, context, model_id, "measure", None, precision="float32")
    feed = split_at(repo, context, used.stored.task, "validation", used.loaded.input_spec)
    return measure(used.loaded, used.objective, feed, limit=num_examples).quality
