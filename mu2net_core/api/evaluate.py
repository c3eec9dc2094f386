"""``eval``: the accuracy of a stored model on one of its task's splits."""

from __future__ import annotations

import time
from dataclasses import dataclass

from mu2net_core.api.cache import keep_bounded
from mu2net_core.api.context import Context
from mu2net_core.api.runtime import prepare_jax, split_at
from mu2net_core.api.stored import stored_model
from mu2net_core.engine.evaluate import count_correct, load_row, precision_of
from mu2net_core.engine.fitting import model_specs
from mu2net_core.engine.programs import Programs
from mu2net_core.errors import InvalidInputError
from mu2net_core.nn import family_named
from mu2net_core.objects import SPLITS
from mu2net_core.repo import Repository
from mu2net_core.repo.outcomes import Counter, Watch
from mu2net_core.repo.prefetch import bring_components

__all__ = ["EvalResult", "evaluate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalResult:
    """A measured accuracy, in [0, 1], and what it is of."""

    task: str
    model: str
    split: str
    num_examples: int
    correct: int
    accuracy: float
    wall_s: float


def evaluate(
    repo: Repository, context: Context, revision: str, *, split: str = "test", progress: Watch | None = None
) -> EvalResult:
    """Measures the model that ``revision`` names on every example of ``split``.

    Args:
        repo: whose model; what a partial clone lacks of it is brought.
        context: of the call.
        revision: a task, commit or model.
        split: of the task.
        progress: told of every component that is brought.

    Raises:
        InvalidInputError: no such split, or the revision is a root model, which solves no task.
        NotFoundError: no such revision, or the task has no model yet.
    """
    if split not in SPLITS:
        raise InvalidInputError(f"No split {split!r}: expected one of {', '.join(SPLITS)}.")
    began = time.perf_counter()
    stored = stored_model(repo, revision)
    prepare_jax(context)
    family, precision = family_named(stored.model.architecture.name), precision_of(stored.model)
    programs = Programs(family=family, precision=precision)
    specs = model_specs(stored.model, programs.family, stored.task.num_classes, repo.limits)
    bring_components(repo, stored.model.components, what=stored.task.name, counter=Counter(progress))
    row = load_row(stored.model, specs, repo.objects.component, programs.family)
    side = programs.family.image_side(stored.model.architecture.config, stored.model.hyperparameters)
    feed = split_at(repo, context, stored.task, split, side)
    correct = count_correct(programs, specs, row, feed)
    keep_bounded(repo, context)
    return EvalResult(
        task=stored.task.name,
        model=stored.model_id,
        split=split,
        num_examples=feed.num_examples,
        correct=correct,
        accuracy=correct / feed.num_examples,
        wall_s=time.perf_counter() - began,
    )
