"""An agent takes a task where others see it: in its working copy, and at the remote if its work is pushed there."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.claiming.claim import Claim
from mu2net_core.api.claiming.held import HeldError
from mu2net_core.api.context import Context
from mu2net_core.api.evolving.turns import Shared
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.looking.status import status
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.push import push
from mu2net_core.api.tasks.rm_task import rm_task
from mu2net_core.errors import ConflictError, SearchError
from mu2net_core.events import Event
from mu2net_core.objects import AccessRule
from mu2net_core.repo import Repository, open_repository
from mu2net_core.testing.building.happenings import GENERATION
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample


def shared(tmp_path: Path) -> Repository:
    return open_repository(tmp_path / "shared")


def leases(repo: Repository) -> list[str]:
    return list(repo.store.list("leases"))


def gone(repo: Repository) -> None:
    """Forgets the locks of a working copy, as a machine does that went away; its leases elsewhere stay."""
    shutil.rmtree(repo.state / "iterations")


@pytest.mark.parametrize(("for_s", "known"), [(0.0, ""), (1.0, ", for 1 s"), (185.0, ", for 3 min")])
def test_how_long_an_agent_has_worked_is_said_if_it_is_known(
    ann, claims, context: Context, for_s: float, known
) -> None:
    with claims(ann, 1).take("a"):
        (working,) = status(ann, context).working
        error = HeldError(replace(working, for_s=for_s), context, is_itself=True)
        assert error.message.startswith(f"a is being improved by agent-1 of host-of-work{known}: iteration")


def test_agents_of_a_working_copy_see_each_other_and_how_far_they_are(ann, claims, context: Context) -> None:
    with claims(ann, 1).take("a") as claim:
        events: list[Event] = []
        claim._keeper.clock = lambda: 1e12  # nothing was heard of it for long, then it finishes a generation
        claim.after(events.append)(replace(GENERATION, task="a", generation=4, best_score=0.75))
        claim._keeper.step()
        with pytest.raises(HeldError) as error:
            claims(ann).take("a")
        assert error.value.message == (
            "a is being improved by agent-1 of host-of-work: iteration 2, generation 6, best score 0.7500."
        )
        assert error.value.hint is not None
        assert error.value.hint.endswith("mu2net evolve --task a --no-leases")
        assert claims(ann).free("a") is None
        (working,) = status(ann, context).working
        assert (working.task, working.host, working.slot, working.method, working.remote) == (
            "a",
            "host-of-work",
            1,
            "random",
            None,
        )
        assert (working.iteration, working.generation, working.score, working.is_living) == (2, 5, 0.75, True)
    assert events
    assert status(ann, context).working == ()
    with claims(ann).take("a"):
        pass


def test_a_process_that_was_killed_keeps_nobody_waiting_in_its_working_copy(ann, claims, context: Context) -> None:
    claim = claims(ann, 1).take("a")
    claim._lock.__exit__(None, None, None)  # what the operating system does
    assert status(ann, context).working == ()
    with claims(ann).take("a"), claims(ann, 1).take("b"):
        pass


def test_the_same_agent_in_two_processes_is_told(ann, claims) -> None:
    with claims(ann).take("a"):
        with pytest.raises(HeldError, match="agent-0 of host-of-work"):
            claims(ann).take("a")
        with pytest.raises(ConflictError, match=r"process [0-9]+ on this machine holds it"):
            claims(ann, is_asked=False).take("a")


def test_who_wants_no_leases_leaves_none_and_works_beside_others(ann, claims) -> None:
    with claims(ann, 1).take("a"):
        before = leases(ann)
        with claims(ann, is_asked=False).take("a"), claims(ann, 2).take("a", joins=True):
            assert leases(ann) == before


def test_a_remote_is_told_where_work_is_pushed_to_it_and_not_else(ann, bob, claims, tmp_path: Path) -> None:
    with claims(ann).take("a"):
        assert leases(shared(tmp_path)) == []
        with claims(bob, remote="origin").take("a"):
            pass
    with claims(ann, remote="origin").take("a"):
        with pytest.raises(HeldError, match=r"agent-0 of host-of-work \(seen at origin\)"):
            claims(bob, remote="origin").take("a")
        assert claims(bob, remote="origin").free("a") is None
        assert [(one.task, one.remote) for one in status(bob, claims(bob).context, remote="origin").working] == [
            ("a", "origin")
        ]
        assert status(bob, claims(bob).context).working == ()
        with claims(bob, remote="origin").take("b"):
            pass
    assert claims(bob, remote="origin").free("a") is not None


def test_who_cannot_have_a_task_at_the_remote_leaves_no_lease_here(ann, bob, claims) -> None:
    with claims(ann, remote="origin").take("a"):
        with pytest.raises(HeldError):
            claims(bob, remote="origin").take("a")
        assert claims(bob, 1)._here.all() == (), "it was given back"


def test_a_remote_is_looked_at_now_and_then_only(ann, bob, claims) -> None:
    now = [0.0]
    looking = claims(bob, remote="origin", clock=lambda: now[0])
    claim = looking.free("b")
    claim.__exit__(None, None, None)
    with claims(ann, remote="origin").take("a"):
        assert looking._there.busy() == frozenset(), "not asked yet"
        now[0] = 60.0
        assert looking._there.busy() == {"a"}


def test_a_task_that_was_found_taken_at_the_remote_is_not_tried_again_before_the_next_look(ann, bob, claims) -> None:
    now = [0.0]
    looking = claims(bob, remote="origin", clock=lambda: now[0])
    looking.free("b").__exit__(None, None, None)
    with claims(ann, remote="origin").take("a"):
        assert looking.free("a") is None
        before = leases(bob)
        assert looking.free("a") is None
        assert leases(bob) == before, "none was taken here and given back"
    now[0] = 60.0
    looking.free("a").__exit__(None, None, None)


@pytest.mark.parametrize("where", [None, "origin"])
def test_a_task_whose_head_moves_while_its_holder_is_looked_up_is_taken(
    ann, bob, claims, context: Context, monkeypatch: pytest.MonkeyPatch, where: str | None
) -> None:
    with claims(ann, 1, remote=where).take("a"):

        def over(*_: object) -> None:
            evolve_sample(ann, "a", score=0.9)
            push(ann, context)

        monkeypatch.setattr("mu2net_core.api.claiming.claims.told", over)
        copy, places = (ann, 1) if where is None else (bob, 2)
        with claims(copy, remote=where).take("a") as claim:
            assert len(claim._keeper.leases) == places
            assert copy.refs.head("a").commit == ann.refs.head("a").commit


def test_a_remote_never_learns_of_a_task_that_its_readers_may_not_see(ann, claims, tmp_path: Path) -> None:
    """Not even where its name is known there, from when more people might see it."""
    head = ann.refs.head("a")
    commit = ann.objects.commit(head.commit)
    task = ann.objects.put(replace(ann.objects.task(commit.task_id), access=AccessRule.only(["a"])))
    ann.refs.append("a", ann.objects.put(replace(commit, task_id=task, parents=(head.commit,))), after=head)
    add_sample_task(ann, "secret", AccessRule.only(["secret"]))
    for name in ("a", "secret"):
        with claims(ann, remote="origin").take(name):
            assert leases(ann) != []
            assert leases(shared(tmp_path)) == []


def test_who_takes_a_task_that_moved_at_the_remote_meanwhile_begins_from_there(ann, bob, claims, context) -> None:
    newest = evolve_sample(ann, "a", score=0.9, seed=9).commit
    push(ann, context)
    with claims(bob, remote="origin").take("a"):
        assert bob.refs.head("a").commit == newest
    evolve_sample(ann, "b", score=0.9, seed=9)
    with claims(bob).take("b"):
        assert bob.refs.head("b").commit != ann.refs.head("b").commit, "who does not push asks nobody"


def test_what_is_not_at_the_remote_yet_is_taken_here_alone(ann, claims, context: Context, tmp_path: Path) -> None:
    add_sample_task(ann, "new")
    warned: list[str] = []
    own = claims(ann, remote="origin", context=replace(context, warn=warned.append))
    with own.take("new"):
        assert leases(shared(tmp_path)) == []
    shutil.rmtree(tmp_path / "shared")
    with own.take("new"), claims(ann, remote="origin").take("a"):
        pass
    assert warned == []


def test_a_task_that_is_gone_can_be_taken_for_its_iteration_says_so(ann, claims, context: Context) -> None:
    rm_task(ann, context, "a")
    with claims(ann).take("a"):
        assert leases(ann) == []


def test_a_task_whose_preset_is_not_here_can_be_taken(ann, claims) -> None:
    with claims(ann).take("c"):
        assert len(leases(ann)) == 1


def test_an_agent_that_was_overtaken_is_told_once_and_goes_on(ann, bob, claims, context: Context) -> None:
    warned: list[str] = []
    own = claims(ann, remote="origin", context=replace(context, warn=warned.append))
    with own.take("a") as claim:
        other = claims(bob, remote="origin")
        other.free("b").__exit__(None, None, None)
        other._there.leases.observer.clock = lambda: 1e12
        with other.take("a"):
            claim._keeper.clock = lambda: time.monotonic() + 1000.0
            claim._keeper.step()
            tell = claim.after(lambda _event: None)
            tell(GENERATION), tell(GENERATION)
    assert warned == ["agent-0 of host-of-bob took a over, as it had not heard of this agent; what both find is merged"]


def test_agents_that_share_tasks_each_take_one_that_is_free(ann, claims) -> None:
    def shares(slot: int) -> Shared:
        asked = EvolveOptions(slot=slot, agents=4)
        return Shared(claims=claims(ann, slot), tasks=["a", "b", "c"], asked=asked, seed=0, goals=None)

    turns = [shares(slot).next() for slot in range(3)]
    taken = [turn.claim() for turn in turns if turn is not None]
    assert sorted(claim.task for claim in taken) == ["a", "b", "c"]
    fourth = shares(3).next()
    assert fourth is not None, "there are more agents than tasks: it joins another"
    with fourth.claim():
        pass
    for claim in taken:
        claim.__exit__(None, None, None)


def test_evolve_leaves_tasks_to_whoever_works_on_them_and_says_who(
    planted, claims, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo, warned = planted.open(), list[str]()
    add_sample_task(repo, "other")
    quiet = replace(planted, context=replace(planted.context, warn=warned.append))
    with claims(repo, 5).take("digits"), claims(repo, 6).take("other"):
        with pytest.raises(HeldError, match=r"digits is being improved by agent-5") as error:
            quiet.evolve(repo, tasks=("digits", "other"))
        assert error.value.exit_code == 4
        assert [text.partition(":")[0] for text in warned] == ["digits is being improved by agent-5 of host-of-repo"]
        monkeypatch.setattr("mu2net_core.api.evolving.evolve.iterate", begun)
        with pytest.raises(SearchError, match="digits begins"):
            planted.evolve(repo, leases=False)


def begun(_run: object, claim: Claim, *_rest: object) -> None:
    raise SearchError(f"{claim.task} begins")


def test_evolve_that_pushes_tells_the_remote_and_leaves_no_lease_anywhere(planted, tmp_path: Path) -> None:
    repo, said = planted.open(), set[str]()
    remote.add(repo, planted.context, "origin", str(tmp_path / "shared"))
    push(repo, planted.context)
    there = open_repository(tmp_path / "shared")

    def look(_event: Event) -> None:
        said.update((*leases(repo), *(f"there/{key}" for key in leases(there))))

    result = planted.evolve(repo, seed=1, generations=1, children=1, push=True, on_event=look)
    key = "leases/digits/00000001/00000001"
    assert said >= {key, f"there/{key}"}
    assert (leases(repo), leases(there), there.refs.number("digits")) == ([], [], 2)
    assert result.held == ()


def test_ages_do_not_depend_on_the_clock_of_who_looks(ann, claims, context: Context) -> None:
    evolve_sample(ann, "a", score=0.6)
    with claims(ann, 1).take("a"):
        (working,) = status(ann, context).working
    assert working.for_s < 60.0, "the context's clock is another one"
