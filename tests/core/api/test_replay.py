"""Iterations that are done again: the same comes out, and where it does not, that is seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from mu2net_core.api.evolving.comparison import Replayed, first_difference, outcome_of, surroundings
from mu2net_core.api.evolving.evolve import evolve
from mu2net_core.api.evolving.replay import replay
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.iterations.running import running_tips
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.api.machine.machine import num_cores, processor
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.push import push
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.tasks.options import TaskOptions
from mu2net_core.api.tasks.reset import reset
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.events import ChildFinished, GenerationFinished
from mu2net_core.objects import Commit, Run, Seen, Snapshot
from mu2net_core.repo import Repository, load_system
from mu2net_core.testing.building.samples import evolve_sample

SEED = 3


def commit_of(repo: Repository, oid: str) -> Commit:
    return repo.objects.commit(oid)


def run_of(repo: Repository, oid: str) -> Run:
    run = repo.objects.commit(oid).run
    assert run is not None
    return run


def head_of(repo: Repository, task: str = "digits") -> str:
    return load_system(repo).heads[task].commit_id


def files_of(folder: Path) -> set[Path]:
    return {file.relative_to(folder) for file in folder.rglob("*") if file.is_file()}


def test_a_commit_says_how_its_iteration_was_run(grown) -> None:
    run = run_of(grown.open(), head_of(grown.open()))
    assert (run.preset, run.seed, run.generations, run.children, run.done) == ("vit-mini", 1, 2, 2, 2)
    assert run.settings == {
        "evolve.generations": 2,
        "evolve.children": 2,
        "evolve.validations": 1,
        "space.num_layers": (1,),
    }
    assert (run.seen, run.cores) == ((), num_cores())
    assert run.device_s is not None
    assert run.device_s > 0
    assert run.processor == processor() != ""


def test_done_again_it_gives_the_same_model_and_leaves_nothing(grown, world, monkeypatch, tmp_path: Path) -> None:
    repo = grown.open()
    before, head = files_of(repo.path), head_of(repo)
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    elsewhere = world(MU2NET_EVOLVE_BATCH_SIZE="7", MU2NET_SCORER_FACTOR="0.5")  # settings of now, which do not count
    report = replay(repo, elsewhere.context, "digits")
    assert (report.outcome, report.step, report.differences) == ("same", 0, ())
    assert (report.commit, report.task, report.iteration, report.seed) == (head, "digits", 1, 1)
    assert report.now == report.then
    assert report.now.model == commit_of(repo, head).model
    assert report.steps in {1, 2}
    assert files_of(repo.path) == before
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize("named", ["digits", "digits~1", "digits~2"])
def test_every_iteration_of_a_history_can_be_repeated(grown, named: str) -> None:
    repo = grown.open()
    (better,) = grown.evolve(repo, seed=3, generations=2, children=1, budget_s=0.0).iterations
    assert run_of(repo, better.commit).done == 1  # time ran out
    evolve_sample(repo, "digits", score=1.0)
    (none,) = grown.evolve(repo, seed=4, generations=1, children=1).iterations
    assert (better.iteration, none.improved) == (2, False)
    if named == "digits~1":
        with pytest.raises(InvalidInputError, match="it does not say how it was run"):
            replay(repo, grown.context, named)
        return
    report = replay(repo, grown.context, named)
    assert (report.outcome, report.iteration) == ("same", {"digits": 4, "digits~2": 2}[named])


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda each: (replace(each[0], cost=1.0), *each[1:]), "child 1"),
        (lambda each: (*each[:3], replace(each[3], clones=("elsewhere",))), "child 4"),
        (lambda each: each[:3], "children that are told of"),
    ],
)
def test_a_child_that_came_out_otherwise_is_named_though_the_best_is_the_same(grown, change, what: str) -> None:
    repo = grown.open()
    commit = commit_of(repo, head_of(repo))
    assert commit.trials is not None
    other = repo.objects.put(replace(commit, trials=replace(commit.trials, each=change(commit.trials.each))))
    report = replay(repo, grown.context, other)
    assert (report.outcome, report.now.model) == ("different", commit.model)
    assert [difference.what for difference in report.differences] == [what]


def changed(repo: Repository, oid: str, **changes: object) -> str:
    """Stores the commit ``oid`` with another account of its run, and returns its id."""
    commit = commit_of(repo, oid)
    return repo.objects.put(replace(commit, run=replace(run_of(repo, oid), **changes)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"seed": 2}, "seed"),
        ({"done": 1}, "children"),
        ({"settings": {"space.num_layers": (1,), "evolve.validations": 2}}, "settings"),
    ],
)
def test_run_in_any_other_way_it_gives_another_and_that_is_seen(grown, changes, cause: str) -> None:
    repo = grown.open()
    report = replay(repo, grown.context, changed(repo, head_of(repo), **changes))
    assert report.outcome == "different"
    assert cause in {difference.what for difference in report.differences}
    assert report.step == 1 or cause == "children"


def test_a_method_that_learns_plans_the_same_after_a_stop_as_when_it_is_repeated_in_one_go(grown) -> None:
    repo, stop = grown.open(), Event()
    grown.evolve(
        repo, seed=2, method="tpe", on_event=lambda one: isinstance(one, ChildFinished) and stop.set(), stop=stop
    )
    grown.evolve(repo)
    assert run_of(repo, head_of(repo)).settings["evolve.method"] == "tpe"
    assert replay(repo, grown.context, "digits").outcome == "same"


@pytest.mark.parametrize(
    "changes", [{"children": 10**9}, {"done": 10**9, "generations": 10**9}, {"settings": {"evolve.validations": 10**8}}]
)
def test_more_work_than_anybody_means_is_not_begun(grown, changes, monkeypatch) -> None:
    monkeypatch.setattr("mu2net_core.api.evolving.replay._again", lambda *_: pytest.fail("it was begun"))
    repo = grown.open()
    with pytest.raises(InvalidInputError, match=r"is not repeated: it says .* expected up to 1000000 cycles"):
        replay(repo, grown.context, changed(repo, head_of(repo), **changes))


def test_another_machine_is_named(grown) -> None:
    repo = grown.open()
    for changes, outcome in (({}, "same"), ({"seed": 2}, "different")):
        oid = changed(repo, head_of(repo), cores=99, processor="abacus", **changes)
        report = replay(repo, grown.context, oid)
        assert report.outcome == outcome
        assert [(one.what, one.then) for one in report.differences[:2]] == [("processor", "abacus"), ("cores", 99)]


def test_a_system_that_moves_between_generations_is_seen_again_as_it_was(grown) -> None:
    repo = grown.open()

    def move(event) -> None:
        if isinstance(event, GenerationFinished) and event.generation == 0:
            add_task(grown.open(), grown.context, "sklearn:digits", TaskOptions(name="other"))
            evolve(
                grown.open(), grown.context, ["other"], EvolveOptions(generations=1, children=1, validations=1, seed=5)
            )

    (iteration,) = grown.evolve(repo, seed=SEED, generations=3, on_event=move).iterations
    commit = commit_of(repo, iteration.commit)
    (seen,) = run_of(repo, iteration.commit).seen
    assert seen.generation == 1
    assert set(repo.objects.snapshot(commit.snapshot or "").heads) == {"digits"}
    assert set(repo.objects.snapshot(seen.snapshot).heads) == {"digits", "other"}
    assert fsck(repo, grown.context).problems == ()

    grown.evolve(repo, seed=1, tasks=["other"], generations=1)  # what happens later does not matter
    assert replay(repo, grown.context, iteration.commit).outcome == "same"
    blind = replay(repo, grown.context, changed(repo, iteration.commit, seen=()))
    assert blind.outcome == "different"


def test_what_cannot_be_repeated_says_why(grown) -> None:
    repo = grown.open()
    head = head_of(repo)
    parents = (head, *commit_of(repo, head).parents)
    for named, reason in (
        ("default", "'default' is a model; expected a task or the commit of an iteration"),
        (commit_of(repo, head).parents[0], "it is no iteration"),
        (repo.objects.put(replace(commit_of(repo, head), run=None)), "it does not say how it was run"),
        (repo.objects.put(replace(commit_of(repo, head), parents=parents)), "it joins"),
        (reset(repo, grown.context, "digits", "digits~1").commit or "", "it is no iteration"),
    ):
        with pytest.raises(InvalidInputError, match=reason):
            replay(repo, grown.context, named)


def test_what_is_not_here_any_more_is_named(grown) -> None:
    repo = grown.open()
    (iteration,) = grown.evolve(repo, seed=3, generations=1, children=1).iterations
    elsewhere = Seen(generation=0, snapshot=repo.objects.put(Snapshot(heads={"cats": "0" * 64}, roots={})))
    with pytest.raises(NotFoundError, match="it saw cats in a state that is not here") as caught:
        replay(repo, grown.context, changed(repo, iteration.commit, seen=(elsewhere,)))
    assert "mu2net pull" in (caught.value.hint or "")
    nothing = Seen(generation=0, snapshot=repo.objects.put(Snapshot(heads={}, roots={})))
    with pytest.raises(InvalidInputError, match="has no task digits"):
        replay(repo, grown.context, changed(repo, iteration.commit, seen=(nothing,)))


def test_a_clone_repeats_what_was_pushed_to_it(grown) -> None:
    repo = grown.open()
    remote.add(repo, grown.context, "origin", "shared")
    push(repo, grown.context)
    clone("shared", "twin", grown.context)
    twin = grown.open("twin")
    assert replay(twin, grown.context, "digits").outcome == "same"


def test_private_models_count_for_nothing_that_a_public_task_pays_or_trains_so_it_is_repeated(planted) -> None:
    repo = planted.open()
    add_task(repo, planted.context, "sklearn:digits", TaskOptions(name="secret", private=True))
    planted.evolve(repo, seed=1, generations=1, children=1)
    _, public = planted.evolve(repo, tasks=["secret", "digits"], seed=SEED).iterations
    assert public.improved
    assert run_of(repo, public.commit).seen == ()
    report = replay(repo, planted.context, "digits")
    assert (report.outcome, report.differences) == ("same", ())
    assert replay(repo, planted.context, "secret").outcome == "same"


def test_a_seed_that_no_commit_can_hold_is_refused(planted) -> None:
    with pytest.raises(InvalidInputError, match="Expected a seed from"):
        planted.evolve(planted.open(), seed=2**53 + 1)


def test_what_generations_of_an_interrupted_iteration_saw_is_kept_and_in_the_end_recorded(grown) -> None:
    repo = grown.open()

    def move_and_stop(event) -> None:
        if isinstance(event, GenerationFinished):
            if event.generation == 0:
                evolve_sample(grown.open(), "digits", score=0.01)
            else:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grown.evolve(repo, seed=3, generations=3, on_event=move_and_stop)
    state = Workspace.of(repo, "digits").load()
    assert state is not None
    assert [later.generation for later in state.seen] == [1]
    assert ("snapshot", state.seen[0].snapshot) in running_tips(repo).others
    (iteration,) = grown.evolve(repo, seed=3, generations=3).iterations
    assert run_of(repo, iteration.commit).seen == state.seen
    assert replay(repo, grown.context, iteration.commit).outcome == "same"


class TestComparison:
    @pytest.fixture
    def then(self, grown) -> Replayed:
        head = load_system(grown.open()).heads["digits"]
        return Replayed(model=head.model_id, manifest=head.model, children=head.commit.children)

    def test_another_device_or_library_is_listed_and_not_another_model(self, then: Replayed) -> None:
        assert then.manifest is not None
        versions = {**then.manifest.versions, "jax": "0.1"}
        now = replace(then, model="0" * 64, manifest=replace(then.manifest, device_kind="H200", versions=versions))
        assert outcome_of(then, now) == "parameters"
        assert [(one.what, one.now) for one in surroundings(then, now)] == [("device", "H200"), ("jax", "0.1")]
        assert first_difference([then.manifest], [now.manifest or then.manifest]) == (0, ())

    def test_one_other_array_is_another_model(self, then: Replayed) -> None:
        assert then.manifest is not None
        *others, last = then.manifest.components
        manifest = replace(then.manifest, components=(*others, replace(last, id="0" * 64)))
        assert outcome_of(then, replace(then, model="0" * 64, manifest=manifest)) == "different"
        place, (difference,) = first_difference([then.manifest], [manifest])
        assert (place, difference.what, difference.now) == (1, "layer head", "0" * 64)

    def test_no_model_or_another_number_of_children_is_different(self, then: Replayed) -> None:
        assert outcome_of(then, Replayed(model=None, manifest=None, children=then.children)) == "different"
        other = replace(then, children=replace(then.children, kept=99))
        assert outcome_of(then, other) == "different"
        assert [one.what for one in surroundings(then, other)] == ["children"]

    def test_where_lines_part(self, then: Replayed) -> None:
        first = then.manifest
        assert first is not None
        second = replace(first, parent="1" * 64)
        assert first_difference([first, second], [first, replace(second, parent="2" * 64)]) == (0, ())
        place, differences = first_difference([first, second], [first, replace(second, seed=1, quality=0.5)])
        assert (place, [one.what for one in differences]) == (2, ["seed", "quality"])
        place, (difference,) = first_difference([first, second], [first])
        assert (place, difference.then, difference.now) == (2, 2, 1)
