"""Which interrupted iterations go on, and why the others do not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.publish import move_head
from mu2net_core.api.reset import reset
from mu2net_core.api.resume import Asked, Left, look
from mu2net_core.api.workspace import Workspace
from mu2net_core.engine.iteration import IterationState
from mu2net_core.objects import Head
from mu2net_core.repo import Repository, load_system
from mu2net_core.search import start
from mu2net_core.testing.samples import add_sample_task, evolve_sample

ASKED = Asked(seed=None, generations=2, children=3, settings="as ever")
STARTED = "2026-02-01T00:00:00.000000+00:00"


@pytest.fixture
def workspace(repo: Repository) -> Workspace:
    """Returns the workspace of a task whose next iteration was interrupted."""
    add_sample_task(repo, "a")
    evolve_sample(repo, "a", score=0.5)
    head, workspace = head_of(repo), Workspace.of(repo, "a")
    state = IterationState(
        task="a",
        task_id=head.commit.task_id,
        base=head.commit_id,
        snapshot=head.commit.snapshot or "",
        iteration=2,
        seed=7,
        generations=2,
        children=3,
        settings="as ever",
        generation=1,
        population=start(load_system(repo), "a"),
        started_at=STARTED,
    )
    workspace.save(state)
    return workspace


def head_of(repo: Repository) -> Head:
    return load_system(repo).heads["a"]


def found(workspace: Workspace, asked: Asked = ASKED) -> Left:
    return look(workspace.repo, workspace, head_of(workspace.repo), asked)


def test_nothing_is_left_where_nothing_was_begun(workspace: Workspace) -> None:
    workspace.clear()
    assert found(workspace) == Left(kind="none")


def test_what_was_interrupted_goes_on(workspace: Workspace) -> None:
    assert found(workspace) == Left(kind="ready", state=workspace.load())
    assert found(workspace, replace(ASKED, seed=7)).kind == "ready"


def test_it_goes_on_although_others_moved_the_head(workspace: Workspace) -> None:
    evolve_sample(workspace.repo, "a", score=0.9)
    assert found(workspace).kind == "ready"


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"seed": 8}, "seed 7 then, 8 now"),
        ({"generations": 1, "children": 2}, "generations 2 then, 1 now; children 3 then, 2 now"),
        ({"settings": "others"}, "other settings then (validations, batch size, scorer, space, ...)"),
    ],
)
def test_asked_for_otherwise_it_is_outdated(workspace: Workspace, asked: dict[str, object], reason: str) -> None:
    left = found(workspace, replace(ASKED, **asked))  # type: ignore[arg-type]
    assert (left.kind, left.reason, left.state) == ("outdated", reason, workspace.load())


def test_after_a_reset_it_is_outdated(workspace: Workspace, context: Context) -> None:
    reset(workspace.repo, context, "a", "@{1}")
    assert (found(workspace).kind, found(workspace).reason) == ("outdated", "the task was reset since")


def test_what_died_while_cleaning_up_was_published(workspace: Workspace, context: Context) -> None:
    repo, head = workspace.repo, head_of(workspace.repo)
    done = replace(head.commit, parents=(head.commit_id,), started_at=STARTED, iteration=2)
    move_head(repo, context, "a", repo.objects.put(done))
    assert found(workspace, replace(ASKED, seed=8)).kind == "published"


def test_what_cannot_be_read_is_damaged_and_stays_to_be_looked_at(workspace: Workspace) -> None:
    (workspace.folder / "state.json").write_bytes(b"{")
    left = found(workspace)
    assert (left.kind, left.state) == ("damaged", None)
    assert "state.json" in (left.reason or "")
    assert workspace.folder.exists()


def test_what_lost_a_component_it_trained_is_damaged(workspace: Workspace) -> None:
    state = workspace.load()
    assert state is not None
    (member,) = state.population.members
    child = replace(member, model=replace(member.model, test_quality=None))
    workspace.save(replace(state, population=replace(state.population, members=(member, child))))
    left = found(workspace)
    assert left.kind == "damaged"
    assert "What it trained is not all there" in (left.reason or "")
