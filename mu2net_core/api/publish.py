"""The end of an iteration: its best model becomes part of the repository, and the task's head moves to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mu2net_core.api.context import Context
from mu2net_core.api.workspace import Workspace
from mu2net_core.engine.iteration import IterationState
from mu2net_core.errors import ConflictError
from mu2net_core.objects import Agent, Commit, Model
from mu2net_core.repo import Repository
from mu2net_core.repo.merge import contains, merge
from mu2net_core.search import Member

__all__ = ["is_published", "move_head", "publish"]


def publish(
    repo: Repository, context: Context, workspace: Workspace, state: IterationState, winner: Member, test_quality: float
) -> tuple[str, str]:
    """Stores the winner with its lineage and moves the head of the task; returns (commit id, model id).

    Components come first, then manifests, then the commit, then the head: whoever dies in between leaves nothing but
    unreferenced objects.
    """
    model = winner.model
    model_id = winner.id if model.is_retained else _publish_model(repo, workspace, state, model, test_quality)
    base = repo.objects.commit(state.base)
    commit = Commit(
        task=state.task,
        task_id=state.task_id,
        model=model_id,
        parents=(state.base,),
        snapshot=state.snapshot,
        iteration=state.iteration,
        selections=_selections(repo, base, state, {winner.id: model_id}),
        children=state.counts,
        agent=Agent(id=repo.agent_id, host=context.host, device=model.device_kind or ""),
        started_at=state.started_at,
        finished_at=context.timestamp(),
        message=f"iteration {state.iteration}: "
        + ("no better model" if model_id == base.model else f"validation {model.quality:.4f}, test {test_quality:.4f}"),
    )
    commit_id = repo.objects.put(commit)
    move_head(repo, state.task, commit_id)
    workspace.clear()
    return commit_id, model_id


def move_head(repo: Repository, task: str, commit_id: str) -> str:
    """Moves a head to ``commit_id``, merged with what it moved to meanwhile; returns the head's commit."""
    while True:
        head = repo.refs.head(task)
        target = commit_id
        if head is not None and not contains(repo.objects, commit_id, head.commit):
            target, merged = merge(repo.objects, [head.commit, commit_id])
            repo.objects.put(merged)
        try:
            return repo.refs.append(task, target, after=head).commit
        except ConflictError:
            continue  # somebody else moved it between the reading and the writing: join them too


def is_published(repo: Repository, state: IterationState) -> bool:
    """Returns whether a finished iteration's commit is in the head's history already: it died while cleaning up."""
    head = repo.refs.head(state.task)
    pending, seen = [] if head is None else [head.commit], set[str]()
    while pending:
        oid = pending.pop()
        if oid in seen or oid == state.base:
            continue
        seen.add(oid)
        commit = repo.objects.commit(oid)
        if commit.agent is not None and commit.agent.id == repo.agent_id and commit.started_at == state.started_at:
            return True
        pending.extend(commit.parents)
    return False


def _publish_model(
    repo: Repository, workspace: Workspace, state: IterationState, model: Model, test_quality: float
) -> str:
    """Stores a child's arrays, then the manifests of ancestors that were not retained, then its own; returns its id."""
    for ref in model.components:
        workspace.publish_component(ref.id)
    members = {member.id: member.model for member in state.population.members}
    oid = model.parent
    while oid in members and not members[oid].is_retained:
        repo.objects.put(members[oid])
        oid = members[oid].parent
    return repo.objects.put(replace(model, test_quality=test_quality))


def _selections(
    repo: Repository, base: Commit, state: IterationState, renamed: Mapping[str, str]
) -> dict[str, dict[str, int]]:
    """Returns the counts of the base with this iteration's added, without models that are not retained."""
    counts = {model: dict(agents) for model, agents in base.selections.items()}
    dropped = {member.id for member in state.population.members if not member.model.is_retained} - set(renamed)
    for model, times in state.population.selections.items():
        if model not in dropped:
            agents = counts.setdefault(renamed.get(model, model), {})
            agents[repo.agent_id] = agents.get(repo.agent_id, 0) + times
    return counts
