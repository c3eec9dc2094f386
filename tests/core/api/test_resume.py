"""Which interrupted iterations go on, and why the others do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.publish import move_head
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.iterations.recorded import digest_of, recorded_preset
from mu2net_core.api.iterations.resume import Leftover, look, refuse
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.api.tasks.reset import reset
from mu2net_core.errors import ConflictError
from mu2net_core.objects import Head
from mu2net_core.repo import Repository, load_system
from mu2net_core.search import SearchState, start
from mu2net_core.testing.building.iterating import begun_at
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample

CHANGED = {"evolve.generations": 2, "evolve.children": 3, "evolve.batch_size": 16}
PRESET = recorded_preset("vit-mini", CHANGED)


@pytest.fixture
def workspace(repo: Repository) -> Workspace:
    """Returns the workspace of a task whose next iteration was interrupted."""
    add_sample_task(repo, "a")
    evolve_sample(repo, "a", score=0.5)
    workspace = Workspace.of(repo, "a")
    state = begun_at(
        repo,
        "a",
        seed=7,
        generations=2,
        children=3,
        preset="vit-mini",
        changed=CHANGED,
        settings=digest_of(PRESET),
        generation=1,
        search=SearchState(population=start(load_system(repo), "a")),
    )
    workspace.save(state)
    return workspace


def head_of(repo: Repository) -> Head:
    return load_system(repo).heads["a"]


def found(workspace: Workspace, **asked: Any) -> Leftover:
    return look(workspace.repo, workspace, head_of(workspace.repo), EvolveOptions(**asked))


def test_nothing_is_left_where_nothing_was_begun(workspace: Workspace) -> None:
    workspace.clear()
    assert found(workspace) == Leftover(kind="none")


@pytest.mark.parametrize("asked", [{}, {"seed": 7}, {"generations": 2, "children": 3, "validations": 4}])
def test_what_was_interrupted_goes_on_under_the_settings_it_began_with(
    workspace: Workspace, asked: dict[str, int]
) -> None:
    left = found(workspace, **asked)
    assert left == Leftover(kind="ready", state=workspace.load(), preset=PRESET)
    assert left.preset is not None
    assert left.preset.training.batch_size == 16


def test_it_goes_on_although_others_moved_the_head(workspace: Workspace) -> None:
    evolve_sample(workspace.repo, "a", score=0.9)
    assert found(workspace).kind == "ready"


def test_given_more_generations_it_is_as_if_it_had_begun_with_them(workspace: Workspace) -> None:
    left = found(workspace, generations=5)
    assert left.kind == "ready"
    assert left.state is not None
    assert left.preset is not None
    assert (left.state.generations, left.preset.training.generations, left.state.generation) == (5, 5, 1)
    assert recorded_preset(left.state.preset, left.state.changed) == left.preset
    assert left.state.settings == digest_of(left.preset)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"seed": 8}, "seed 7 then, 8 now"),
        ({"generations": 1, "children": 2}, "generations 2 then, 1 now; children 3 then, 2 now"),
        ({"validations": 9}, "validations 4 then, 9 now"),
        ({"preset": "convnet-8"}, "preset vit-mini then, convnet-8 now"),
    ],
)
def test_asked_for_otherwise_it_is_refused_and_stays(
    workspace: Workspace, context: Context, asked: dict[str, int], reason: str
) -> None:
    left, before = found(workspace, **asked), workspace.load()
    assert (left.kind, left.reason, left.state) == ("other", reason, before)
    options = "".join(f" --{name} {value}" for name, value in asked.items())
    with pytest.raises(ConflictError, match=reason) as caught:
        refuse(replace(context, program="mu2net -C here"), {"a": left}, EvolveOptions(**asked))
    hint = caught.value.hint or ""
    assert "To go on with what it began with: mu2net -C here evolve --task a. " in hint
    assert hint.endswith(f"To drop what it trained and begin anew: mu2net -C here evolve --task a --restart{options}")
    assert workspace.load() == before


def test_asked_for_another_space_it_is_refused_and_the_same_one_in_any_order_goes_on(
    workspace: Workspace, context: Context
) -> None:
    rates = PRESET.space.values["learning_rate"]
    assert found(workspace, space={"learning_rate": tuple(reversed(rates))}).kind == "ready"
    asked = EvolveOptions(space={"learning_rate": (0.5, 0.1), "nesterov": (True,)})
    left = look(workspace.repo, workspace, head_of(workspace.repo), asked)
    assert f"learning_rate {list(rates)} then, [0.1, 0.5] now" in (left.reason or "")
    with pytest.raises(ConflictError) as caught:
        refuse(context, {"a": left}, asked)
    assert str(caught.value.hint).endswith("--restart --space learning_rate=0.5,0.1 --space nesterov=true")


def test_what_an_agent_of_several_left_is_dropped_by_a_command_that_finds_it(
    workspace: Workspace, context: Context
) -> None:
    asked = EvolveOptions(children=2, slot=2, agents=4)
    with pytest.raises(ConflictError) as caught:
        refuse(context, {"a": found(workspace, children=2)}, asked)
    assert caught.value.hint == (
        "To go on with what it began with: mu2net evolve --task a --agents 4. To drop what it trained and begin anew: "
        "mu2net evolve --task a --agents 4 --restart --children 2"
    )


def stuck(workspace: Workspace, context: Context) -> str:
    """Returns why what is left cannot go on, as the error says it."""
    left = found(workspace)
    assert left.kind == "stuck"
    with pytest.raises(ConflictError) as caught:
        refuse(context, {"a": left}, EvolveOptions())
    assert caught.value.hint == "To drop what it trained and begin anew: mu2net evolve --task a --restart"
    return caught.value.message


def test_after_a_reset_it_cannot_go_on(workspace: Workspace, context: Context) -> None:
    reset(workspace.repo, context, "a", "@{1}")
    assert "cannot go on: the task was reset since. Nothing was changed." in stuck(workspace, context)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"task_id": "0" * 64}, "the task was another then"),
        ({"base": "0" * 64}, "what it began from was purged"),
        ({"preset": "vit-huge"}, "this version of mu2net lacks its settings"),
        ({"changed": {"evolve.nonsense": 1}}, "this version of mu2net lacks its settings"),
        ({"settings": "0" * 64}, "this version of mu2net has another preset of that name"),
    ],
)
def test_what_can_never_go_on_says_why_and_stays(
    workspace: Workspace, context: Context, changed: dict[str, str], reason: str
) -> None:
    state = workspace.load()
    assert state is not None
    workspace.save(replace(state, **changed))  # type: ignore[arg-type]
    assert reason in stuck(workspace, context)
    assert workspace.load() is not None


def test_what_died_while_cleaning_up_was_published(workspace: Workspace, context: Context) -> None:
    repo, head, state = workspace.repo, head_of(workspace.repo), workspace.load()
    assert state is not None
    done = replace(head.commit, parents=(head.commit_id,), started_at=state.started_at, iteration=2)
    move_head(repo, context, "a", repo.objects.put(done))
    left = found(workspace, seed=8)
    assert left.kind == "published"
    refuse(context, {"a": left}, EvolveOptions(seed=8))


def test_what_cannot_be_read_is_refused_and_stays_to_be_looked_at(workspace: Workspace, context: Context) -> None:
    (workspace.folder / "state.json").write_bytes(b"{")
    assert "state.json" in stuck(workspace, context)
    assert workspace.folder.exists()


def test_what_lost_a_component_it_trained_cannot_go_on(workspace: Workspace, context: Context) -> None:
    state = workspace.load()
    assert state is not None
    (member,) = state.population.members
    child = replace(member, model=replace(member.model, test_quality=None))
    population = replace(state.population, members=(member, child))
    workspace.save(replace(state, search=SearchState(population=population)))
    assert "What it trained is not all there" in stuck(workspace, context)
