"""The end of an iteration: its best model becomes part of the repository, and the task's head moves to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.lines import retained_as
from mu2net_core.api.evolving.remembered import trials_of
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.api.sharing.rechecking import Rechecking
from mu2net_core.api.signing.signing import committer, put_commit
from mu2net_core.engine import IterationState
from mu2net_core.errors import ConflictError
from mu2net_core.objects import LARGEST_COUNT, Agent, Commit, Model, Run
from mu2net_core.repo import HeadState, Repository, load_system
from mu2net_core.repo.history import basis_of, choose, contains, contenders, merge, visible_models
from mu2net_core.repo.remotes import purges_here
from mu2net_core.search import Member, is_better

__all__ = ["Published", "Refit", "move_head", "publish"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refit:
    """A winner trained on, on validation examples, too: its manifest, its test included, and when that began."""

    model: Model
    started_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """An iteration's end: its commit, the model the task has now, None if it has none, and whether that is better."""

    commit_id: str
    model_id: str | None
    improved: bool


def publish(
    repo: Repository,
    context: Context,
    workspace: Workspace,
    state: IterationState,
    winner: Member | None,
    test_quality: float,
    run: Run,
    *,
    agent: Agent,
    refit: Refit | None = None,
) -> Published:
    """Stores the winner with its lineage and moves the head of the task.

    Components come first, then manifests, then the commit, then the head: whoever dies in between leaves nothing but
    unreferenced objects. An iteration that has no winner, or none that is better, is recorded as such. A refit has a
    commit of its own after that: the head moves once, to it.

    Args:
        repo: to publish in.
        context: of this process.
        workspace: of the iteration.
        state: after its last generation.
        winner: its best model; None if no child could be kept and there was none before.
        test_quality: of the winner.
        run: how the iteration was run.
        agent: who did it: what it selected is counted as its.
        refit: of the winner, if there is one.

    Raises:
        ConflictError: the task was purged meanwhile; what the iteration trained is dropped.
    """
    _check_not_purged(repo, workspace, state)
    base = repo.objects.commit(state.base)
    model_id = None if winner is None else _publish_model(repo, workspace, state, winner, test_quality)
    improved = winner is not None and _is_better(repo, state, base, winner)
    is_new = winner is not None and not winner.model.is_retained
    renamed = {winner.id: model_id} if winner is not None and model_id is not None and is_new else {}
    commit = Commit(
        task=state.task,
        task_id=state.task_id,
        model=model_id,
        parents=(state.base,),
        snapshot=state.snapshot,
        iteration=state.iteration,
        selections=_selections(repo, base, state, renamed, agent.counter),
        children=state.counts,
        agent=agent,
        started_at=state.started_at,
        finished_at=context.timestamp(),
        message=_message(state, winner if model_id != base.model else None, test_quality),
        run=run,
        improved=improved,
        trials=trials_of(repo, state, renamed) if state.search.trials else None,
    )
    commit_id = put_commit(repo, context, commit)
    if refit is not None and winner is not None and model_id is not None:
        model_id = _publish_refit(repo, workspace, refit, model_id)
        commit_id = put_commit(repo, context, _refitted(context, commit, commit_id, refit, model_id))
    move_head(repo, context, state.task, commit_id)
    workspace.clear()
    return Published(commit_id=commit_id, model_id=model_id, improved=improved)


def _is_better(repo: Repository, state: IterationState, base: Commit, winner: Member) -> bool:
    """Returns whether a winner is better than the model that the task had, as that was scored last in the iteration.

    One that is not among those, as of another preset, was compared with when the winner was chosen.
    """
    known = {member.id: member.model for member in (*state.population.past, *state.population.members)}
    before = basis_of(repo, base)
    if before is None or before in known:
        return is_better(winner.model, known.get(before or ""))
    return winner.id != before


def _message(state: IterationState, winner: Member | None, test_quality: float) -> str:
    """Returns what an iteration came to, in one line; ``winner`` is None if the task keeps what it had."""
    quality = None if winner is None else winner.model.quality
    came_to = "no better model" if quality is None else f"validation {quality:.2%}, test {test_quality:.2%}"
    return f"iteration {state.iteration}: {came_to}"


def move_head(repo: Repository, context: Context, task: str, commit_id: str) -> str:
    """Moves a head to ``commit_id``, joined with what it moved to meanwhile; returns the head's commit.

    If it moved to something that the commit's score does not compare with, such as another definition of the task, or
    was reset behind what the commit builds on, the head keeps the model it has, and the commit is in its history:
    nothing that was trained is lost, or stuck, and the context is told.
    """
    while True:
        head = repo.refs.head(task)
        target, aside = commit_id, None
        if head is not None and not contains(repo.objects, commit_id, head.commit):
            target, aside = _joined(repo, context, head, commit_id)
        try:
            moved = repo.refs.append(task, target, after=head).commit
        except ConflictError:
            continue  # somebody else moved it between the reading and the writing: join them too
        if aside is not None:
            context.warn(
                f"{aside} The head keeps the model it has, and the finished iteration is in its history as "
                f"{commit_id[:10]}; to go on from there: mu2net reset {task} {commit_id[:10]}"
            )
        return moved


def _joined(repo: Repository, context: Context, head: HeadState, commit_id: str) -> tuple[str, str | None]:
    """Returns the commit that joins a head with ``commit_id``; and, where scores cannot say, why the head prevails."""
    try:
        target, merged = merge(repo.objects, [head.commit, commit_id])
    except ConflictError as exc:
        agent = committer(repo, context)
        kept = choose(repo.objects, keep=head.commit, other=commit_id, agent=agent, now=context.timestamp())
        return put_commit(repo, context, kept), f"While {head.task} evolved, its head moved. {exc.message}"
    if (decision := Rechecking(repo=repo, context=context).decided(head.commit, commit_id)) is not None:
        return repo.objects.put(decision), None
    repo.objects.put(merged)
    lost = commit_id in merged.parents and commit_id not in contenders(repo.objects, merged.parents)
    return target, f"While {head.task} evolved, it was reset to an earlier state." if lost else None


def _check_not_purged(repo: Repository, workspace: Workspace, state: IterationState) -> None:
    """Drops the iteration if the history it builds on was purged: publishing it would bring that back."""
    purged = purges_here(repo)
    if purged.covers_commit(repo.objects, state.base) is not None:
        workspace.clear()
        raise ConflictError(
            f"The task {state.task} was purged while it evolved: what the iteration trained is dropped.",
            hint="To begin anew, add the task again: mu2net add-task",
        )


def _publish_model(
    repo: Repository, workspace: Workspace, state: IterationState, winner: Member, test_quality: float
) -> str:
    """Stores a child's arrays, then the manifests of ancestors that were not retained, then its own; returns its id.

    Of a model that was retained before, what the task has: that may be a refit of it.
    """
    model = winner.model
    if model.is_retained:
        return retained_as(repo, state, winner)
    for ref in model.components:
        workspace.publish_component(ref.id)
    population = state.population
    models = {member.id: member.manifest for member in (*population.past, *population.members)}
    oid = model.parent
    while oid in models and not models[oid].is_retained:
        repo.objects.put(models[oid])
        oid = models[oid].parent
    return repo.objects.put(replace(model, test_quality=test_quality))


def _publish_refit(repo: Repository, workspace: Workspace, refit: Refit, model_id: str) -> str:
    """Stores the refit of the model ``model_id``; returns its id."""
    for ref in refit.model.components:
        workspace.publish_component(ref.id)
    return repo.objects.put(replace(refit.model, parent=model_id))


def _refitted(context: Context, commit: Commit, commit_id: str, refit: Refit, model_id: str) -> Commit:
    """Returns the commit that follows that of an iteration, and retains the refit of its model."""
    test = refit.model.test_quality or 0.0
    return Commit(
        task=commit.task,
        task_id=commit.task_id,
        model=model_id,
        parents=(commit_id,),
        snapshot=commit.snapshot,
        iteration=commit.iteration,
        selections=commit.selections,
        refit_of=commit.model,
        agent=commit.agent,
        started_at=refit.started_at,
        finished_at=context.timestamp(),
        message=f"iteration {commit.iteration}: trained on, on validation examples, too, test {test:.2%}",
    )


def _selections(
    repo: Repository, base: Commit, state: IterationState, renamed: Mapping[str, str], counter: str
) -> dict[str, dict[str, int]]:
    """Returns the counts of the base with this iteration's added, of models that can be selected again.

    Without models that are no heads any more: a commit would grow with every iteration before it. And without those
    that not everybody may see who may read the task, as in the snapshot.
    """
    usable = visible_models(load_system(repo), state.task) | set(renamed.values())
    counts = {model: dict(agents) for model, agents in base.selections.items() if model in usable}
    for model, times in state.population.selections.items():
        oid = renamed.get(model, model)
        if oid in usable:
            agents = counts.setdefault(oid, {})
            agents[counter] = min(agents.get(counter, 0) + times, LARGEST_COUNT)
    return counts
