"""Who brought what: each column, histories that were joined, names, people with keys and without, what nobody sees."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.credits import book
from mu2net_core.api.credits.contributors import Contributor, contributors
from mu2net_core.api.credits.tally import Credits
from mu2net_core.api.sharing import remote
from mu2net_core.api.signing.keys import fingerprint
from mu2net_core.api.signing.signing import Signer
from mu2net_core.api.tasks.reset import reset
from mu2net_core.api.tasks.rm_task import rm_task
from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.objects import PUBLIC, AccessRule, Agent, Children, Commit, Run, Scorer, hash_bytes
from mu2net_core.repo import HeadState, Repository, open_repository
from mu2net_core.repo.history import contributions, forget_history
from mu2net_core.repo.history.merging import merge
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample
from mu2net_core.testing.worlds.signers import KEYS, allow

ANN, EVE = (key.public_key().public_bytes_raw().hex() for key in (KEYS["ann"], KEYS["eve"]))
CHILDREN = Children(sampled=8, kept=3, discarded={"score": 4, "nan": 1})
Sign = Callable[[Commit], Commit]


def by(host: str, *, copy: str = "", key: str | None = None, **changes: object) -> Sign:
    """Returns what makes a commit one of a machine, a working copy of its own by default, and perhaps of a key."""

    def sign(commit: Commit) -> Commit:
        agent = Agent(id=copy or hash_bytes(host.encode(errors="replace"))[:32], host=host, device="cpu")
        children = CHILDREN if commit.snapshot is not None else Children()
        stated = replace(commit, **{"agent": agent, "children": children, **changes})  # type: ignore[arg-type]
        return stated if key is None else Signer(key=ANN if key == "ann" else EVE, sign=KEYS[key].sign).commit(stated)

    return sign


def add(repo: Repository, task: str, who: Sign, access: AccessRule = PUBLIC) -> HeadState:
    return add_sample_task(repo, task, access, sign=who)


def evolve(repo: Repository, task: str, score: float, who: Sign, **options: object) -> HeadState:
    return evolve_sample(repo, task, score=score, sign=who, **options)  # type: ignore[arg-type]


BLOCK = ("encoderblock_0", "head")
EARLY = {"started_at": "2020-01-01T00:00:00.000000+00:00", "finished_at": "2020-01-01T00:00:00.000000+00:00"}


def beside(
    repo: Repository, task: str, score: float, who: Sign, base: HeadState, seed: int, **options: object
) -> HeadState:
    """Evolves a task from where its head was before, and joins that with where it is."""
    head = repo.refs.head(task)
    assert head is not None
    entries = [repo.path / f"refs/heads/{task}/{number:08d}" for number in range(base.number + 1, head.number + 1)]
    kept = [entry.read_bytes() for entry in entries]
    for entry in entries:
        entry.unlink()
    repo.refs._known.clear()
    other = evolve(repo, task, score, who, seed=seed, **options).commit
    for entry, data in zip(entries, kept, strict=True):
        entry.write_bytes(data)
    repo.refs._known.clear()
    joined = repo.objects.put(merge(repo.objects, [head.commit, other])[1])
    return repo.refs.append(task, joined, after=repo.refs.head(task))


def people(repo: Repository, context: Context, *tasks: str, **options: object) -> dict[str, Contributor]:
    """Returns who contributed, by name and identity."""
    report = contributors(repo, context, tasks, **options)  # type: ignore[arg-type]
    return {f"{one.name} {one.identity}": one for one in report.people}


def totals(repo: Repository, context: Context, *tasks: str, **options: object) -> dict[str, Credits]:
    return {name.partition(" ")[0]: one.total for name, one in people(repo, context, *tasks, **options).items()}


@pytest.fixture
def system(repo: Repository) -> Repository:
    """Returns a repository of three machines; the model of cats is from dogs, and that of birds from cats."""
    add(repo, "dogs", by("a"))
    evolve(repo, "dogs", 0.5, by("a"), trains=BLOCK)
    dogs = evolve(repo, "dogs", 0.75, by("b"))
    add(repo, "cats", by("b"))
    add(repo, "birds", by("b"))
    cats = evolve(repo, "cats", 0.625, by("c"), parent=repo.objects.commit(dogs.commit).model)
    evolve(repo, "birds", 0.25, by("c"), parent=repo.objects.commit(cats.commit).model)
    return repo


def test_every_column_tells_what_the_commits_tell(system: Repository, context: Context) -> None:
    found = totals(system, context)
    assert found == {
        "a": Credits(gain=0.5, device_s=60, kept=3, discarded=5, iterations=1, tasks_added=1, reuse=2),
        "b": Credits(gain=0.25, device_s=60, kept=3, discarded=5, iterations=1, tasks_added=2),
        "c": Credits(gain=0.875, device_s=120, kept=6, discarded=10, iterations=2),
    }


def test_each_task_is_told_alone_too(system: Repository, context: Context) -> None:
    found = people(system, context)["b unsigned"].tasks
    assert {task: (one.iterations, one.tasks_added) for task, one in found.items()} == {
        "birds": (0, 1),
        "cats": (0, 1),
        "dogs": (1, 0),
    }
    assert totals(system, context, "dogs", "cats")["b"] == replace(totals(system, context)["b"], tasks_added=1)
    assert set(people(system, context, "birds")) == {"b unsigned", "c unsigned"}
    with pytest.raises(NotFoundError, match="no task 'bird'"):
        people(system, context, "bird")


def test_reuse_counts_heads_as_they_are_now(system: Repository, context: Context) -> None:
    evolve(system, "birds", 0.5, by("c"), trains=BLOCK, seed=50)
    assert totals(system, context)["a"].reuse == 1
    rm_task(system, context, "cats")
    assert totals(system, context)["a"].reuse == 0


def test_what_children_of_an_iteration_left_in_its_model_is_its_own(repo: Repository, context: Context) -> None:
    add(repo, "dogs", by("a"))
    between = evolve(repo, "dogs", 0.5, by("a"), trains=BLOCK)
    child = repo.objects.commit(between.commit).model
    assert child is not None
    draft = repo.objects.put(replace(repo.objects.model(child), test_quality=None))
    (repo.path / "refs/heads/dogs/00000002").unlink()
    repo.refs._known.clear()
    dogs = evolve(repo, "dogs", 0.75, by("b"), parent=draft)
    add(repo, "cats", by("c"))
    evolve(repo, "cats", 0.5, by("c"), parent=repo.objects.commit(dogs.commit).model)
    assert totals(repo, context)["b"].reuse == 1


def test_an_iteration_that_finds_nothing_better_gains_and_makes_nothing(repo: Repository, context: Context) -> None:
    add(repo, "dogs", by("a"))
    state = evolve(repo, "dogs", 0.5, by("a"), trains=BLOCK)
    same = replace(repo.objects.commit(state.commit), parents=(state.commit,), iteration=2)
    repo.refs.append("dogs", repo.objects.put(by("b", **EARLY)(same)), after=state)
    add(repo, "cats", by("c"))
    evolve(repo, "cats", 0.5, by("c"), parent=same.model)
    found = totals(repo, context)
    assert (found["a"].gain, found["a"].reuse) == (0.5, 1)
    assert (found["b"].gain, found["b"].reuse, found["b"].iterations) == (0.0, 0, 1)


def test_who_says_to_have_trained_what_the_parent_has_made_nothing(repo: Repository, context: Context) -> None:
    add(repo, "dogs", by("a"))
    evolve(repo, "dogs", 0.5, by("a"), trains=BLOCK)
    state = evolve(repo, "dogs", 0.75, by("b"))
    commit = repo.objects.commit(state.commit)
    assert commit.model is not None
    model = repo.objects.model(commit.model)
    claimed = replace(model, components=tuple(replace(ref, trainable=True) for ref in model.components))
    (repo.path / "refs/heads/dogs/00000003").unlink()
    repo.refs._known.clear()
    model_id = repo.objects.put(claimed)
    before = repo.refs.head("dogs")
    repo.refs.append("dogs", repo.objects.put(replace(commit, model=model_id)), after=before)
    add(repo, "cats", by("c"))
    evolve(repo, "cats", 0.5, by("c"), parent=model_id)
    found = totals(repo, context)
    assert (found["a"].reuse, found["b"].reuse) == (1, 0)


def test_a_commit_counts_once_where_histories_were_joined_and_a_merge_for_nobody(
    repo: Repository, context: Context
) -> None:
    add(repo, "dogs", by("a"))
    base = evolve(repo, "dogs", 0.5, by("a"))
    evolve(repo, "dogs", 0.75, by("b"))
    beside(repo, "dogs", 0.625, by("c"), base, 70)
    found = totals(repo, context)
    assert {name: (one.iterations, one.gain) for name, one in found.items()} == {
        "a": (1, 0.5),
        "b": (1, 0.25),  # its model was kept
        "c": (1, 0.0),
    }
    evolve(repo, "dogs", 0.875, by("c"))
    found = totals(repo, context)
    assert (found["c"].gain, sum(one.gain for one in found.values())) == (0.125, 0.875)


def test_the_pause_of_an_iteration_that_was_interrupted_is_no_time_of_a_device(
    repo: Repository, context: Context
) -> None:
    run = Run(preset="p", digest="0" * 64, seed=1, generations=1, children=1, done=1, processor="x", cores=1)
    add(repo, "dogs", by("a"))
    evolve(repo, "dogs", 0.5, by("a", run=replace(run, device_s=12.5), started_at=EARLY["started_at"]))
    assert totals(repo, context)["a"].device_s == 12.5
    evolve(repo, "dogs", 0.75, by("b", run=run))
    assert totals(repo, context)["b"].device_s == 60


def test_gains_that_were_reset_count_no_more(repo: Repository, context: Context) -> None:
    add(repo, "dogs", by("a"))
    evolve(repo, "dogs", 0.5, by("a"))
    evolve(repo, "dogs", 0.75, by("b"))
    reset(repo, context, "dogs", "~1")
    evolve(repo, "dogs", 0.625, by("c"), seed=33)
    found = totals(repo, context)
    assert {name: (one.iterations, one.gain) for name, one in found.items()} == {
        "a": (1, 0.5),
        "b": (1, 0.0),
        "c": (1, 0.125),
    }


def test_a_gain_is_by_the_scorer_of_the_newer_model(repo: Repository, context: Context) -> None:
    add(repo, "dogs", by("a"))
    state = evolve(repo, "dogs", 0.5, by("a"))
    before = repo.objects.commit(state.commit)
    assert before.model is not None
    halving = Scorer(factor=0.5, params_scale=45.0, flops_scale=1e300)
    model = replace(repo.objects.model(before.model), quality=0.75, score=0.375, scorer=halving, parent=before.model)
    commit = replace(before, model=repo.objects.put(model), parents=(state.commit,), iteration=2)
    repo.refs.append("dogs", repo.objects.put(by("b")(commit)), after=state)
    assert totals(repo, context)["b"].gain == pytest.approx(0.125)


def test_a_task_that_was_removed_and_added_again_is_added_by_both(repo: Repository, context: Context) -> None:
    add(repo, "dogs", by("a"))
    evolve(repo, "dogs", 0.5, by("a"))
    rm_task(repo, context, "dogs")
    assert totals(repo, context)["a"] == Credits(
        gain=0.5, device_s=60, kept=3, discarded=5, iterations=1, tasks_added=1
    )
    state = repo.refs.head("dogs")
    assert state is not None
    again = replace(repo.objects.commit(state.commit), parents=(state.commit,), removed=False)
    repo.refs.append("dogs", repo.objects.put(by("b")(again)), after=state)
    found = totals(repo, context)
    assert (found["a"].tasks_added, found["b"].tasks_added, found["b"].gain) == (1, 1, 0.0)


def test_nothing_counts_that_finished_earlier(system: Repository, context: Context) -> None:
    found = totals(system, context, since=datetime(2026, 1, 1, 0, 3, tzinfo=UTC))
    assert found == {"b": Credits(gain=0.25, device_s=60, kept=3, discarded=5, iterations=1)}


def test_who_signs_is_told_by_the_key_whatever_machine_it_is(repo: Repository, context: Context) -> None:
    add(repo, "dogs", by("a", key="ann"))
    evolve(repo, "dogs", 0.5, by("b", key="ann"))
    evolve(repo, "dogs", 0.75, by("b", key="eve"))
    found = people(repo, context)
    assert set(found) == {f"{fingerprint(ANN)} signed", f"{fingerprint(EVE)} signed"}
    ann = found[f"{fingerprint(ANN)} signed"]
    assert (ann.keys, len(ann.agents), ann.total.iterations) == ((fingerprint(ANN),), 2, 1)


def test_who_claims_the_name_of_a_key_is_somebody_else(repo: Repository, context: Context) -> None:
    (repo.worktree / ".mailmap").write_text(f"Ann <{fingerprint(ANN)}>\nAnn <ann-laptop>\n")
    add(repo, "dogs", by("ann-laptop", key="ann"))
    evolve(repo, "dogs", 0.5, by("ann-laptop"))
    evolve(repo, "dogs", 0.75, by("Ann", copy=fingerprint(ANN)))
    evolve(repo, "dogs", 0.875, by(fingerprint(ANN)))
    found = contributors(repo, context).people
    assert [(one.name, one.identity, one.total.tasks_added, one.total.iterations) for one in found] == [
        ("Ann", "signed", 1, 0),
        ("Ann", "unsigned", 0, 1),  # whom the mailmap calls so
        ("Ann", "unsigned", 0, 1),
        (fingerprint(ANN), "unsigned", 0, 1),  # what looks like a key is none
    ]
    assert {one.keys for one in found[1:]} == {()}


def test_two_working_copies_on_one_machine_may_be_two_people_unless_the_mailmap_says_not(
    repo: Repository, context: Context
) -> None:
    add(repo, "dogs", by("server", copy="a" * 32))
    evolve(repo, "dogs", 0.5, by("server", copy="b" * 32))
    apart = contributors(repo, context).people
    assert [(one.name, one.agents, one.total.iterations) for one in apart] == [
        ("server", ("a" * 32,), 0),
        ("server", ("b" * 32,), 1),
    ]
    (repo.worktree / ".mailmap").write_text("The lab <server>\n")
    (one,) = contributors(repo, context).people
    assert (one.name, len(one.agents), one.total.iterations, one.total.tasks_added) == ("The lab", 2, 1, 1)


def test_a_signature_that_does_not_fit_is_no_key(repo: Repository, context: Context) -> None:
    add(repo, "dogs", by("a", key="ann"))

    def forged(commit: Commit) -> Commit:
        return replace(by("a", key="ann")(commit), message="something else")

    evolve(repo, "dogs", 0.5, forged)
    found = people(repo, context)
    assert {name: one.keys for name, one in found.items()} == {
        f"{fingerprint(ANN)} signed": (fingerprint(ANN),),
        "a bad": (),
    }


def test_allowed_keys_name_people_and_tell_others_apart(repo: Repository, context: Context) -> None:
    add(repo, "dogs", by("a", key="ann"))
    evolve(repo, "dogs", 0.5, by("a", key="eve"))
    report = contributors(repo, context, keys=allow(context, "ann"))
    assert {(one.name, one.identity) for one in report.people} == {
        ("ann@example.org", "signed"),
        (fingerprint(EVE), "unknown-key"),
    }
    assert report.keys == str(context.cwd / "allowed")


def test_without_the_library_keys_are_unchecked_and_one_warning_says_so(
    repo: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unable(*_: object) -> bool:
        raise InvalidInputError("Checking signatures needs the package cryptography.", hint="pip install it")

    warnings: list[str] = []
    add(repo, "dogs", by("a", key="ann"))
    evolve(repo, "dogs", 0.5, by("a", key="ann"))
    with monkeypatch.context() as patch:
        patch.setattr(book, "is_valid", unable)
        patch.setattr(contributions, "_WORTH", 1)
        found = people(repo, replace(context, warn=warnings.append))
    assert list(found) == [f"{fingerprint(ANN)} unchecked"]
    assert warnings == ["Checking signatures needs the package cryptography. pip install it"]
    assert list(people(repo, context)) == [f"{fingerprint(ANN)} signed"]


def test_of_two_who_found_the_same_model_the_one_who_signed_counts(repo: Repository, context: Context) -> None:
    add(repo, "dogs", by("a"))
    base = evolve(repo, "dogs", 0.5, by("a"))
    honest = evolve(repo, "dogs", 0.75, by("b", key="ann"), seed=8, trains=BLOCK)
    beside(repo, "dogs", 0.75, by("thief", **EARLY), base, 8, trains=BLOCK)
    head = repo.objects.commit(honest.commit)
    add(repo, "cats", by("c"))
    evolve(repo, "cats", 0.5, by("c"), parent=head.model)
    found = {one.name: one.total for one in contributors(repo, context).people}
    thief, ann = found["thief"], found[fingerprint(ANN)]
    assert (thief.gain, thief.reuse, ann.gain, ann.reuse) == (0.0, 0, 0.25, 1)


def test_what_readers_of_a_remote_may_not_see_is_neither_counted_nor_named(repo: Repository, context: Context) -> None:
    add(repo, "dogs", by("a"))
    dogs = evolve(repo, "dogs", 0.5, by("a"), trains=BLOCK)
    add(repo, "secret", by("spy"), AccessRule.only(["secret"]))
    evolve(repo, "secret", 0.5, by("spy"), parent=repo.objects.commit(dogs.commit).model)
    add(repo, "team", by("b"), AccessRule.only(["team-a"]))
    remote.add(repo, context, "origin", "shared")
    remote.add(repo, context, "team", "shared-team", readers=["team-a"])
    here = people(repo, context)
    assert (set(here), here["a unsigned"].total.reuse) == ({"a unsigned", "b unsigned", "spy unsigned"}, 1)
    there = people(repo, context, remote="origin")
    assert (set(there), there["a unsigned"].total.reuse) == ({"a unsigned"}, 0)
    assert set(people(repo, context, remote="team")) == {"a unsigned", "b unsigned"}
    assert "secret" not in repr(there)
    with pytest.raises(InvalidInputError, match="secret is private, and the remote is for everybody"):
        people(repo, context, "secret", remote="origin")


def noted(repo: Repository, context: Context) -> Iterator[object]:
    yield contributors(repo, context)
    fresh = open_repository(repo.path)
    yield contributors(fresh, context)
    for file in repo.path.glob("objects/commit/*/*"):
        file.unlink()
    yield contributors(open_repository(repo.path), context)


def test_what_was_looked_at_is_not_looked_at_again_and_forgotten_by_a_purge(
    system: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("contributions", "commit_index"):
        monkeypatch.setattr(f"mu2net_core.repo.history.{module}._WORTH", 1)
    assert all(one == other for one, other in itertools.pairwise(noted(system, context)))
    assert (system.state / "credits").is_file()
    forget_history(system.store)
    assert not (system.state / "credits").exists()
