"""Lines of models of several presets on one task: what each goes on from, and which of them the task keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from mu2net_core.engine import IterationState
from mu2net_core.objects import Model
from mu2net_core.repo import Repository
from mu2net_core.repo.history import ancestry, basis_of
from mu2net_core.search import Member, best, is_better

__all__ = ["earlier_models", "retained_as", "was_refit", "winner_of"]

_MOST_COMMITS = 256


def earlier_models(repo: Repository, base: str) -> Iterator[tuple[str, Model]]:
    """Yields the models, by id, that the history of the commit ``base`` retained for its task as it is defined there.

    The newest first, each once. What a reset left behind is none of them, and no refit is: nothing is made from it. It
    follows from the commit alone.
    """
    task_id, seen = repo.objects.commit(base).task_id, set[str]()
    for oid in islice(_wanted(repo, base), _MOST_COMMITS):
        commit = repo.objects.commit(oid)
        if commit.model is not None and commit.model not in seen and commit.task_id == task_id:
            seen.add(commit.model)
            model = repo.objects.model(commit.model)
            if model.refit_of is None:
                yield commit.model, model


def was_refit(repo: Repository, base: str, model_id: str) -> bool:
    """Returns whether the history of the commit ``base`` has a refit of a model, where a reset left it behind, too."""
    commits = islice(ancestry(repo.objects, [base]), _MOST_COMMITS)
    return any(repo.objects.commit(oid).refit_of == model_id for oid in commits)


def winner_of(repo: Repository, state: IterationState, as_here: Callable[[Member], Member]) -> Member | None:
    """Returns the model that a task has after an iteration; None if it has none.

    That is the best of its population; or the task's own, if it is as good and was not among it, as of another preset.

    Args:
        repo: whose task.
        state: after the iteration's last generation.
        as_here: returns a model as it is measured where the iteration ran, on the examples that children were.
    """
    winner, kept = best(state.population), basis_of(repo, repo.objects.commit(state.base))
    if kept is None or any(member.id == kept for member in (*state.population.past, *state.population.members)):
        return winner
    own = Member(id=kept, model=repo.objects.model(kept))
    return winner if winner is not None and is_better(winner.model, as_here(own).model) else own


def retained_as(repo: Repository, state: IterationState, winner: Member) -> str:
    """Returns the model that a task keeps where none is better than ``winner``: its refit, where it began with that."""
    base = repo.objects.commit(state.base)
    return base.model if base.model is not None and winner.id == basis_of(repo, base) else winner.id


def _wanted(repo: Repository, base: str) -> Iterator[str]:
    """Yields a commit and all before it, nearest first, but for what a reset went back behind."""
    queue, seen = [base], {base}
    for oid in queue:  # grows while it is walked
        yield oid
        commit = repo.objects.commit(oid)
        parents = commit.parents if commit.reset_to is None else (commit.reset_to,)
        fresh = [parent for parent in dict.fromkeys(parents) if parent not in seen]
        seen.update(fresh)
        queue.extend(fresh)
