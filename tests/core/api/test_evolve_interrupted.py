"""Evolution that was interrupted: it goes on and ends the same, or is refused and says why; nothing is dropped."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest

from mu2net_core.api.claiming.claim import Claim
from mu2net_core.api.claiming.claims import Claims
from mu2net_core.api.context import Context
from mu2net_core.api.evolving.evolution import Evolution
from mu2net_core.api.evolving.evolve import evolve
from mu2net_core.api.evolving.iterate import iterate
from mu2net_core.api.evolving.replay import replay
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.tasks.options import TaskOptions
from mu2net_core.api.tasks.reset import reset
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.errors import ConflictError, StorageError
from mu2net_core.events import (
    ChildFinished,
    GenerationFinished,
    GenerationStarted,
    IterationDropped,
    IterationFinished,
    IterationsQueued,
    IterationStarted,
)
from mu2net_core.repo import Repository, load_system, open_repository
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample

SMALL = {"generations": 2, "children": 2, "validations": 1}


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


def begun_again(world, repo: Repository, **options) -> list[object]:
    """Returns what is told until the first generation begins; there it is stopped."""
    events: list[object] = []
    with pytest.raises(KeyboardInterrupt):
        world.evolve(repo, on_event=lambda e: (events.append(e), interrupt_at(GenerationStarted, 0)(e)), **options)
    return events


def test_without_options_it_goes_on_with_its_own_whatever_the_settings_are_now(
    planted, world, grown_folder: Path
) -> None:
    expected = load_system(open_repository(grown_folder / "repo" / ".mu2net")).heads["digits"]
    repo, warnings = planted.open(), []
    interrupted(planted, repo, seed=1)
    now = world(MU2NET_EVOLVE_BATCH_SIZE="16", MU2NET_EVOLVE_GENERATIONS="7", MU2NET_SPACE_MOMENTUM="[0.9]")
    context = replace(now.context, warn=warnings.append)
    (iteration,) = evolve(repo, context, ["digits"]).iterations
    assert iteration.model == expected.model_id
    assert (iteration.seed, iteration.generations, iteration.done) == (1, 2, 2)
    commit = repo.objects.commit(iteration.commit)
    assert commit.run is not None
    assert expected.commit.run is not None
    assert (commit.run.settings, commit.run.digest) == (expected.commit.run.settings, expected.commit.run.digest)
    (warning,) = warnings
    assert warning.startswith(
        "digits goes on with the settings it began with: evolve.batch_size 32 (16 now), space.mom"
    )


def test_given_more_generations_it_ends_as_if_it_had_begun_with_them(planted) -> None:
    repo = planted.open()
    twin = open_repository(Path(shutil.copytree(planted.folder / "repo", planted.folder / "twin")) / ".mu2net")
    interrupted(planted, repo, seed=1)
    more, whole = planted.evolve(repo, generations=3), planted.evolve(twin, seed=1, generations=3)
    assert more.iterations[0].model == whole.iterations[0].model
    assert (more.iterations[0].generations, more.iterations[0].sampled) == (3, 6)
    assert replay(repo, planted.context, "digits").outcome == "same"


@pytest.mark.parametrize("options", [{"seed": 2}, {"generations": 1}, {"seed": 2, "children": 1}, {"validations": 2}])
def test_asked_for_otherwise_it_is_refused_and_nothing_is_lost(planted, options) -> None:
    repo, events = planted.open(), []
    interrupted(planted, repo, seed=1)
    before = kept(repo)
    with pytest.raises(ConflictError, match=r"1 of 2 generations done.* began otherwise"):
        planted.evolve(repo, **options, on_event=events.append)
    assert events == []
    assert kept(repo) == before
    events = begun_again(planted, repo, **options, restart=True)
    assert events[0] == IterationDropped(task="digits", iteration=1, generations=1, agent="agent-0")
    assert events[1].resumed_generation == 0
    assert Workspace.of(repo, "digits").load() is None


def test_what_a_restart_begins_anew_is_not_dropped_a_second_time(planted, monkeypatch: pytest.MonkeyPatch) -> None:
    """A storage that fails in the midst leaves an iteration that goes on, in the same process."""
    repo, events, warnings, clock = planted.open(), [], [], count(0, 60)
    interrupted(planted, repo, seed=1)

    def fail_once(event) -> None:
        events.append(event)
        if isinstance(event, GenerationStarted) and event.generation == 1 and not warnings:
            raise StorageError("The disk is full.")

    claims = partial(Claims, clock=lambda: float(next(clock)))
    monkeypatch.setattr("mu2net_core.api.evolving.evolution.Claims", claims)
    context = replace(planted.context, warn=warnings.append)
    asked = EvolveOptions(**SMALL, seed=2, restart=True, watch=True, iterations=1)
    evolve(repo, context, ["digits"], asked, on_event=fail_once, stop=StopAfter(events))
    assert [type(event) for event in events].count(IterationDropped) == 1
    assert [event.resumed_generation for event in events if isinstance(event, IterationStarted)] == [0, 1]


@pytest.mark.parametrize("watch", [True, False])
def test_what_can_never_go_on_is_refused_or_begun_anew_by_who_watches(planted, *, watch: bool) -> None:
    repo, events, warnings = planted.open(), [], []
    planted.evolve(repo, generations=1, children=1)
    interrupted(planted, repo, seed=1)
    reset(repo, planted.context, "digits", "@{0}~1")
    context = replace(planted.context, warn=warnings.append)
    asked = EvolveOptions(**SMALL, seed=1, watch=watch, iterations=1)
    if not watch:
        for agents in (None, 1):
            with pytest.raises(ConflictError, match="the task was reset since"):
                evolve(repo, context, ["digits"], replace(asked, agents=agents))
        return
    evolve(repo, context, ["digits"], asked, on_event=events.append, stop=StopAfter(events))
    assert warnings == ["digits begins anew, as its unfinished iteration cannot go on: the task was reset since"]
    assert [event.resumed_generation for event in events if isinstance(event, IterationStarted)] == [0]


def test_a_task_that_is_purged_while_it_evolves_keeps_no_other_from_being_improved(
    ann: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried, warnings = list[str](), list[str]()

    def fail(_run: object, claim: Claim, *_: object) -> object:
        tried.append(claim.task)
        if claim.task == "a":
            raise ConflictError("The task a was purged while it evolved.", hint="To begin anew, add it again.")
        return SimpleNamespace(task=claim.task)

    monkeypatch.setattr("mu2net_core.api.evolving.evolve.iterate", fail)
    asked = EvolveOptions(leases=False)
    result = evolve(ann, replace(context, warn=warnings.append), ["a", "b"], asked)
    assert (tried, result.left_out) == (["a", "b"], ("a",))
    assert warnings == ["a is left out: The task a was purged while it evolved. To begin anew, add it again."]


def test_what_an_agent_of_several_left_otherwise_keeps_it_from_that_task_alone_and_is_told_once(
    planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo, warnings, tried = planted.open(), [], []
    interrupted(planted, repo, seed=1)
    add_sample_task(repo, "other")

    def other_is_done(run: Evolution, claim: Claim, *more: object) -> object:
        tried.append(claim.task)
        if claim.task == "digits":
            return iterate(run, claim, *more)
        evolve_sample(repo, "digits", score=0.5 + len(tried) / 100)  # by somebody else: it may be tried again
        evolve_sample(repo, "other", score=0.5 + len(tried) / 100)
        return SimpleNamespace(task=claim.task)

    monkeypatch.setattr("mu2net_core.api.evolving.evolve.iterate", other_is_done)
    asked = EvolveOptions(agents=2, iterations=4, children=5)
    result = evolve(repo, replace(planted.context, warn=warnings.append), None, asked)
    assert tried.count("other") == 4
    assert tried.count("digits") > 1
    assert result.left_out == ("digits",)
    (warning,) = warnings
    assert "began otherwise: children 2 then, 5 now" in warning
    assert "--agents 2 --restart --children 5" in warning


class StopAfter(Event):
    """A flag that is set once an iteration is over, and that nobody waits for."""

    def __init__(self, events: list[object]) -> None:
        super().__init__()
        self.events = events

    def wait(self, timeout: float | None = None) -> bool:
        del timeout
        return self.is_set()

    def is_set(self) -> bool:
        return any(isinstance(event, IterationFinished) for event in self.events)


def kept(repo: Repository) -> dict[str, bytes]:
    """Returns everything that an unfinished iteration keeps, by file."""
    folder = Workspace.of(repo, "digits").folder
    return {str(file): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def cut_off(folder: Path) -> None:
    state = folder / "state.json"
    state.write_bytes(state.read_bytes()[:100])


def damage_components(folder: Path) -> None:
    for file in folder.rglob("*.zarr.zip"):
        file.write_bytes(file.read_bytes()[:-1] + b"?")


@pytest.mark.parametrize(
    "damage",
    [cut_off, lambda folder: (folder / "state.json").write_bytes(b""), damage_components],
    ids=["cut off", "empty", "components"],
)
def test_one_that_is_damaged_is_refused_until_that_is_given_up(planted, damage) -> None:
    repo = planted.open()
    interrupted(planted, repo, seed=1)
    damage(Workspace.of(repo, "digits").folder)
    before = kept(repo)
    with pytest.raises(ConflictError, match="cannot go on: ") as caught:
        planted.evolve(repo, seed=1)
    assert caught.value.hint == (
        "To drop what it trained and begin anew: mu2net evolve --task digits --restart --seed 1 --generations 2 "
        "--children 2 --validations 1"
    )
    assert kept(repo) == before
    assert begun_again(planted, repo, seed=1, restart=True)[-2].resumed_generation == 0


def test_one_without_a_finished_generation_begins_anew(planted) -> None:
    repo = planted.open()
    begun_again(planted, repo, seed=1)
    assert begun_again(planted, repo, seed=2)[0].resumed_generation == 0


def test_unfinished_iterations_go_first_and_count(planted) -> None:
    repo, events = planted.open(), []
    for name in ("a", "b"):
        add_task(repo, planted.context, "sklearn:digits", TaskOptions(name=name))
    with pytest.raises(KeyboardInterrupt):
        planted.evolve(repo, tasks=["b"], seed=5, on_event=interrupt_at(ChildFinished, 1))
    with pytest.raises(KeyboardInterrupt):
        planted.evolve(
            repo,
            tasks=["a", "b", "digits"],
            iterations=2,
            on_event=lambda e: (events.append(e), interrupt_at(GenerationStarted, 0)(e)),
        )
    assert events[0] == IterationsQueued(unfinished=("b",), then=("a", "digits", "a", "b", "digits"), agent="agent-0")
    started = [(e.task, e.iteration, e.resumed_generation, e.seed) for e in events if isinstance(e, IterationStarted)]
    assert started == [("b", 1, 1, 5), ("a", 1, 0, 5)]


def test_of_several_tasks_one_that_is_refused_lets_none_begin(planted) -> None:
    repo, events = planted.open(), []
    add_task(repo, planted.context, "sklearn:digits", TaskOptions(name="a"))
    interrupted(planted, repo, seed=1)
    with pytest.raises(ConflictError, match="iteration 1 of digits"):
        planted.evolve(repo, tasks=["a", "digits"], seed=2, on_event=events.append)
    assert events == []


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


def test_stopped_with_the_generation_at_hand_it_keeps_that_and_ends_the_same_later(planted, grown_folder: Path) -> None:
    expected = load_system(open_repository(grown_folder / "repo" / ".mu2net")).heads["digits"]
    repo, stop, events = planted.open(), Event(), []

    def listen(event) -> None:
        events.append(event)
        if isinstance(event, ChildFinished):
            stop.set()

    stopped = planted.evolve(repo, seed=1, iterations=2, on_event=listen, stop=stop)
    assert (stopped.stopped, stopped.iterations) == (True, ())
    assert [event.generation for event in events if isinstance(event, GenerationFinished)] == [0]
    (iteration,) = planted.evolve(repo).iterations
    assert iteration.model == expected.model_id
    assert planted.is_clean(repo)


def test_once_a_model_is_good_enough_its_iteration_ends_and_no_other_begins(planted) -> None:
    repo = planted.open()
    first = planted.evolve(repo, seed=1, iterations=2, until=0.001)
    assert [(one.done, one.generations) for one in first.iterations] == [(1, 2)]
    assert planted.evolve(repo, until=0.001).iterations == ()
