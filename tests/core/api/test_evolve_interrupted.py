"""Evolution that was interrupted: it goes on and ends the same, or begins anew and says why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.events import ChildFinished, GenerationStarted, IterationDropped
from mu2net_core.api.fsck import fsck
from mu2net_core.api.workspace import Workspace
from mu2net_core.repo import Repository, load_system, open_repository


def interrupt_at(kind: type, generation: int):
    """Returns a listener that is the user pressing Ctrl-C at the first event of ``kind`` in ``generation``."""

    def listen(event) -> None:
        if isinstance(event, kind) and event.generation == generation:
            raise KeyboardInterrupt

    return listen


def interrupted(world, repo: Repository, **options) -> None:
    with pytest.raises(KeyboardInterrupt):
        world.evolve(repo, on_event=interrupt_at(ChildFinished, 1), **options)


@pytest.mark.parametrize("seed", [1, None])
def test_after_ctrl_c_the_same_command_resumes_and_ends_the_same(planted, grown_folder: Path, seed: int | None) -> None:
    expected = load_system(open_repository(grown_folder / "repo" / ".mu2net")).heads["digits"]
    repo, events = planted.open(), []
    interrupted(planted, repo, seed=1)
    assert load_system(repo).heads["digits"].model is None
    assert fsck(repo, planted.context).problems == ()
    result = planted.evolve(repo, seed=seed, on_event=events.append)
    assert events[0].resumed_generation == 1
    assert result.seed == 1
    assert result.iterations[0].model == expected.model_id
    commit = load_system(repo).heads["digits"].commit
    assert commit.children == expected.commit.children
    assert planted.is_clean(repo)


def damage(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


@pytest.mark.parametrize(
    "between",
    [damage, lambda file: file.write_bytes(b""), lambda file: file.unlink()],
    ids=["cut off", "empty", "gone"],
)
def test_a_state_that_is_damaged_is_begun_anew_and_that_is_said(planted, between) -> None:
    repo, events, warnings = planted.open(), [], []
    interrupted(planted, repo, seed=1)
    between(Workspace.of(repo, "digits").folder / "state.json")
    state, said = Workspace.of(repo, "digits").folder / "state.json", replace(planted.context, warn=warnings.append)
    is_there = state.exists()
    with pytest.raises(KeyboardInterrupt):
        replace(planted, context=said).evolve(
            repo, seed=1, on_event=lambda e: (events.append(e), interrupt_at(GenerationStarted, 0)(e))
        )
    assert events[0].resumed_generation == 0
    assert [text[:51] for text in warnings] == ["the unfinished iteration of digits begins anew: Can"] * is_there


def test_a_state_whose_components_are_damaged_is_begun_anew(planted) -> None:
    repo, events = planted.open(), []
    interrupted(planted, repo, seed=1)
    folder = Workspace.of(repo, "digits").folder
    for file in folder.rglob("*.zarr.zip"):
        file.write_bytes(file.read_bytes()[:-1] + b"?")
    result = planted.evolve(repo, seed=1, on_event=events.append)
    assert events[0].resumed_generation == 0
    assert load_system(repo).heads["digits"].model_id == result.iterations[0].model
    assert not folder.exists()


@pytest.mark.parametrize(
    ("options", "environ", "reason"),
    [
        ({"seed": 2}, {}, "seed 1 then, 2 now"),
        ({"generations": 1}, {}, "generations 2 then, 1 now"),
        ({"seed": 2, "children": 1}, {}, "seed 1 then, 2 now; children 2 then, 1 now"),
        ({"validations": 2}, {}, "other settings then"),
        ({}, {"MU2NET_EVOLVE_BATCH_SIZE": "16"}, "other settings then"),
        ({}, {"MU2NET_SCORER_FACTOR": "0.9"}, "other settings then"),
        ({}, {"MU2NET_SPACE_MOMENTUM": "[0.9]"}, "other settings then"),
    ],
)
def test_asked_for_otherwise_it_is_begun_anew_and_says_what_is_lost(
    planted, world, options, environ, reason: str
) -> None:
    repo, events = planted.open(), []
    interrupted(planted, repo, seed=1)
    here = world(**environ)
    with pytest.raises(KeyboardInterrupt):
        here.evolve(repo, **options, on_event=lambda e: (events.append(e), interrupt_at(GenerationStarted, 0)(e)))
    dropped, begun = events[:2]
    assert isinstance(dropped, IterationDropped)
    assert (dropped.task, dropped.iteration, dropped.generations) == ("digits", 1, 1)
    assert reason in dropped.reason
    assert begun.resumed_generation == 0


def test_an_iteration_that_died_while_cleaning_up_is_not_done_twice(planted, monkeypatch: pytest.MonkeyPatch) -> None:
    repo, events = planted.open(), []
    real, calls = Workspace.clear, []

    def dies_at_the_end(self) -> None:
        calls.append(1)
        if len(calls) == 2:  # the first tidies up before the iteration
            raise KeyboardInterrupt
        real(self)

    monkeypatch.setattr(Workspace, "clear", dies_at_the_end)
    with pytest.raises(KeyboardInterrupt):
        planted.evolve(repo, seed=1)
    head = load_system(repo).heads["digits"]
    assert head.model is not None
    (iteration,) = planted.evolve(repo, seed=1, on_event=events.append).iterations
    assert (events[0].iteration, events[0].resumed_generation) == (2, 0)
    assert repo.objects.commit(iteration.commit).parents == (head.commit_id,)
