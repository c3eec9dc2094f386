"""A purge that somebody else made on a remote: nothing goes here because of it, unless one asks for that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mu2net_core.api.context import Context
from mu2net_core.api.looking.status import status
from mu2net_core.api.sharing import purge as purging
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.purge import known_on, purge
from mu2net_core.api.sharing.push import push
from mu2net_core.api.sharing.tag import create as tag
from mu2net_core.api.signing.trust import Trust
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.objects import AccessRule, Snapshot
from mu2net_core.repo import Remote, Repository, load_system, open_repository
from mu2net_core.repo.core.tombstones import is_purge
from mu2net_core.repo.history.merging import ancestry
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.repo.remotes.reports import ExchangeConflictError, TaskReport
from mu2net_core.repo.upkeep.reachable import Tips
from mu2net_core.testing.attacks.forging import Forger
from mu2net_core.testing.building.samples import evolve_sample, sample_task
from mu2net_core.testing.worlds.sharing import add_tasks, working_copy

OURS = AccessRule.only(["team"])


both = pytest.mark.parametrize("medium", ["folder", "bucket"])


@pytest.fixture
def ann(tmp_path: Path, origin: Remote, later: Context) -> Repository:
    """Returns a working copy that shares two tasks, through a folder or a bucket."""
    repo = working_copy(tmp_path / "ann", origin)
    add_tasks(repo, "digits", "other")
    push(repo, later)
    return repo


@pytest.fixture
def bob(ann: Repository, origin: Remote, later: Context, tmp_path: Path) -> Repository:
    """Returns a full clone of what ann shares."""
    clone(origin.url, "bob", later, full=True, options=origin.options)
    return open_repository(tmp_path / "bob")


def everything(repo: Repository) -> set[str]:
    return {*repo.store.list("objects"), *repo.store.list("refs/heads"), *repo.store.list("refs/purged")}


def report_of(repo: Repository, context: Context, task: str = "digits") -> TaskReport:
    found = pull(open_repository(repo.worktree), context).tasks
    return next(report for report in found if report.task == task)


def follow(repo: Repository) -> Repository:
    repo.update_config(lambda config: config.with_setting("pull.follow_purges", value=True))
    return open_repository(repo.worktree)


class TestByDefault:
    @both
    @pytest.mark.parametrize("genuine", [True, False], ids=["by a colleague", "made up"])
    def test_a_pull_keeps_all_and_names_the_command_that_drops_it(
        self, ann: Repository, bob: Repository, later: Context, genuine: bool
    ) -> None:
        if genuine:
            purge(ann, later, "digits", remote="origin", settle=lambda: None)
        else:
            Forger.into(bob.config.remotes["origin"]).whole_purge("digits")
        before, head = everything(bob), bob.refs.head("digits")
        report = report_of(bob, later)
        assert (report.outcome, report.commit) == ("skipped", None)
        assert "it was purged from origin by" in report.reason
        assert "here it stays, and is not sent there" in report.reason
        assert report.reason.endswith("mu2net rm-task digits --purge")
        assert bob.refs.head("digits") == head
        assert everything(bob) >= before
        assert not list(bob.store.list("refs/purged"))
        assert fsck(bob, later).problems == ()
        assert report_of(bob, later) == report  # and so does the next one

    def test_nor_is_it_sent_there_and_all_else_is(self, bob: Repository, later: Context) -> None:
        Forger.into(bob.config.remotes["origin"]).whole_purge("digits")
        pull(bob, later)
        evolve_sample(bob, "digits", score=0.9, seed=90)
        evolve_sample(bob, "other", score=0.9, seed=91)
        found = {report.task: report for report in push(bob, later).tasks}
        assert {task: report.outcome for task, report in found.items()} == {"digits": "skipped", "other": "updated"}
        assert found["digits"].reason.endswith("To drop it here, too: mu2net rm-task digits --purge")

    def test_status_says_that_it_is_kept(self, bob: Repository, later: Context) -> None:
        Forger.into(bob.config.remotes["origin"]).whole_purge("digits")
        pull(bob, later)
        report = status(bob, later)
        assert report.remotes[0].relations["digits"] == "purged-there"
        assert not any(" pull " in step.command for step in report.next)

    def test_the_command_that_it_names_drops_it_for_good_and_then_pulls_agree(
        self, bob: Repository, later: Context
    ) -> None:
        Forger.into(bob.config.remotes["origin"]).whole_purge("digits")
        pull(bob, later)
        purge(bob, later, "digits")
        assert sorted(load_system(open_repository(bob.worktree)).heads) == ["other"]
        assert report_of(bob, later).outcome in {"up-to-date", "merged"}
        assert fsck(open_repository(bob.worktree), later).problems == ()

    @pytest.mark.parametrize("following", [False, True])
    def test_a_purge_without_a_tombstone_that_counts_hides_nothing(
        self, bob: Repository, later: Context, following: bool
    ) -> None:
        bob = follow(bob) if following else bob
        origin, head = bob.config.remotes["origin"], bob.refs.head("digits")
        Forger.into(origin).whole_purge("digits")
        for key in list(connect(origin).store.list("refs/purged")):
            connect(origin).store.delete(key)
        report = report_of(bob, later)
        assert (report.outcome, "here it stays, and is not sent there" in report.reason) == ("skipped", True)
        assert bob.refs.head("digits") == head

    @pytest.mark.parametrize("following", [False, True])
    def test_a_tombstone_without_a_purge_takes_nothing(self, bob: Repository, later: Context, following: bool) -> None:
        bob = follow(bob) if following else bob
        origin, before, head = bob.config.remotes["origin"], everything(bob), bob.refs.head("digits")
        there = Forger.into(origin)
        there.whole_stone("digits", there.everything())
        report = report_of(bob, later)
        assert (report.outcome, "its purge from origin is under way" in report.reason) == ("skipped", True)
        assert bob.refs.head("digits") == head
        assert everything(bob) >= before


class TestWhereOneFollows:
    @both
    def test_it_is_set_aside_and_said(self, bob: Repository, later: Context) -> None:
        bob = follow(bob)
        commit = Forger.into(bob.config.remotes["origin"]).whole_purge("digits")
        before = set(bob.store.list("objects"))
        report = report_of(bob, later)
        assert (report.outcome, report.commit) == ("removed", commit)
        assert report.reason.endswith("mu2net rm-task digits --undo brings it back")
        assert sorted(load_system(open_repository(bob.worktree)).heads) == ["other"]
        assert set(bob.store.list("objects")) >= before
        assert fsck(open_repository(bob.worktree), later).problems == ()
        assert status(open_repository(bob.worktree), later).set_aside == ("digits",)

    def test_its_own_tombstones_are_written_and_signed_here(
        self, bob: Repository, later: Context, tmp_path: Path
    ) -> None:
        form = (Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        (tmp_path / "id").write_bytes(Ed25519PrivateKey.generate().private_bytes(*form))
        bob.update_config(lambda config: config.with_setting("sign.key", str(tmp_path / "id")))
        bob = follow(bob)
        Forger.into(bob.config.remotes["origin"]).whole_purge("digits")
        assert report_of(bob, later).outcome == "removed"
        (*stones,) = bob.refs.tombstones()[0]["digits"]
        trust = Trust(objects=bob.objects, identity=bob.identity, keys=None)
        assert {trust.tombstone_refusal(stone) for stone in stones} == {None}
        assert all(stone.identity == bob.identity for stone in stones)

    def test_work_that_was_never_there_stays(self, bob: Repository, later: Context) -> None:
        bob = follow(bob)
        mine = evolve_sample(bob, "digits", score=0.9, seed=90)
        Forger.into(bob.config.remotes["origin"]).whole_purge("digits")
        report = report_of(bob, later)
        assert report.outcome == "skipped"
        assert "here is work on it that was never on origin" in report.reason
        assert bob.refs.head("digits") == mine

    def test_what_a_tag_here_names_stays(self, bob: Repository, later: Context) -> None:
        bob = follow(bob)
        head = bob.refs.head("digits")
        tag(bob, later, "v1")
        Forger.into(bob.config.remotes["origin"]).whole_purge("digits")
        report = report_of(bob, later)
        assert (report.outcome, "the tag v1 here names it" in report.reason) == ("skipped", True)
        assert bob.refs.head("digits") == head

    def test_what_an_iteration_uses_stays(self, bob: Repository, later: Context, monkeypatch) -> None:
        bob = follow(bob)
        head = bob.refs.head("digits")
        used = Tips(others=frozenset({("commit", head.commit)}))
        monkeypatch.setattr(purging, "running_tips", lambda repo, but=None: used)
        Forger.into(bob.config.remotes["origin"]).whole_purge("digits")
        report = report_of(bob, later)
        assert (report.outcome, "an iteration of it is not finished here" in report.reason) == ("skipped", True)
        assert bob.refs.head("digits") == head

    def test_the_rule_that_whoever_purged_made_up_is_not_the_one_written_here(
        self, tmp_path: Path, spot: Callable[..., Remote], later: Context
    ) -> None:
        """Else a purge could make public what was for some."""
        repo = working_copy(tmp_path / "ann", spot("origin", "team"))
        add_tasks(repo, "secret", access=OURS)
        push(repo, later)
        repo = follow(repo)
        Forger.into(repo.config.remotes["origin"]).whole_purge("secret")
        assert report_of(repo, later, "secret").outcome == "removed"
        assert {stone.access for stone in repo.refs.tombstones()[0]["secret"]} == {OURS}

    def test_a_tag_made_of_something_else_does_not_hold_it(self, bob: Repository, later: Context) -> None:
        bob = follow(bob)
        heads = {"other": bob.refs.head("other").commit}
        bob.refs.create_tag("v1", bob.objects.put(Snapshot(heads=heads, roots=bob.refs.roots())))
        Forger.into(bob.config.remotes["origin"]).whole_purge("digits")
        assert report_of(bob, later).outcome == "removed"
        assert is_purge(bob.objects.commit(open_repository(bob.worktree).refs.head("digits").commit))


class TestAddedAgainThere:
    @pytest.fixture
    def again(self, ann: Repository, bob: Repository, later: Context) -> str:
        """Returns where the head is that begins anew after a purge there, which bob has fetched and not followed."""
        purge(ann, later, "digits", remote="origin", settle=lambda: None)
        purge(ann, later, "digits")
        pull(ann, later)
        add_again(ann)
        evolve_sample(ann, "digits", score=0.7, seed=70)
        push(ann, later)
        assert report_of(bob, later).outcome == "skipped"
        return ann.refs.head("digits").commit

    @both
    def test_whoever_drops_it_takes_nothing_of_what_began_anew_and_has_nothing_to_purge_there(
        self, bob: Repository, later: Context, again: str
    ) -> None:
        purge(bob, later, "digits")
        assert bob.objects.has("commit", again)
        assert known_on(bob, "digits") == ()
        assert all(f"commit/{again}" not in stone.objects for stone in bob.refs.every_tombstone())
        assert status(bob, later).remotes[0].relations["digits"] != "purged"

    @both
    def test_whoever_dropped_it_can_take_up_what_began_anew_and_send_more(
        self, ann: Repository, bob: Repository, later: Context, again: str
    ) -> None:
        purge(bob, later, "digits")
        with pytest.raises(ExchangeConflictError, match="purged on one side, and is there on the other"):
            pull(bob, later)
        pull(bob, later, on_conflict="theirs")
        assert again in ancestry(bob.objects, [bob.refs.head("digits").commit])
        mine = evolve_sample(bob, "digits", score=0.9, seed=90)
        push(bob, later)
        assert report_of(ann, later).commit == mine.commit
        assert fsck(bob, later).problems == fsck(ann, later, remote="origin").problems == ()


def add_again(repo: Repository) -> None:
    """Adds a task that was purged here."""
    head = repo.refs.head("digits")
    commit = replace(repo.objects.commit(head.commit), parents=(head.commit,), removed=False, message="add digits")
    commit = replace(commit, task_id=repo.objects.put(sample_task("digits")))
    repo.refs.append("digits", repo.objects.put(commit), after=head)
