"""Tombstones of one task that list what is another's: nothing of that is believed, by nobody."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.looking.status import status
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.purge import purge
from mu2net_core.api.sharing.push import push
from mu2net_core.api.sharing.tag import create as tag
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.api.upkeep.gc import gc
from mu2net_core.objects import Agent, Signature, object_key
from mu2net_core.repo import Remote, Repository, load_system, open_repository
from mu2net_core.repo.core.tombstones import Purged, Tombstone, is_purge
from mu2net_core.repo.exchange.fetching_names import fetch_tags
from mu2net_core.repo.exchange.joining import Policy
from mu2net_core.repo.exchange.purges_seen import note_purged
from mu2net_core.repo.history.merging import ancestry
from mu2net_core.repo.history.plausibility import Arrivals
from mu2net_core.repo.remotes.closure import Node
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.repo.remotes.reports import Counter
from mu2net_core.repo.remotes.tombstone_scope import believed
from mu2net_core.repo.remotes.tracking import read_tracking
from mu2net_core.repo.upkeep.place import here
from mu2net_core.repo.upkeep.purging import bury, store_purge_commit
from mu2net_core.testing.attacks.forging import Forger
from mu2net_core.testing.building.samples import evolve_sample, sample_tombstone
from mu2net_core.testing.servers.wrappers import WrappedStore
from mu2net_core.testing.worlds.sharing import add_tasks, working_copy

_AT = "2026-01-02T00:00:00.000000+00:00"
both = pytest.mark.parametrize("medium", ["folder", "bucket"])


@pytest.fixture
def ann(tmp_path: Path, origin: Remote, later: Context) -> Repository:
    """Returns a working copy that shares two tasks and the tag v1, through a folder or a bucket."""
    repo = working_copy(tmp_path / "ann", origin)
    add_tasks(repo, "digits", "evil")
    tag(repo, later, "v1")
    push(repo, later)
    return repo


def there(repo: Repository) -> Forger:
    return Forger.into(repo.config.remotes["origin"])


def fresh(repo: Repository) -> Repository:
    return open_repository(repo.worktree)


def of_digits(repo: Repository) -> dict[str, list[Node]]:
    """Returns what there is of the task digits, by kind."""
    head = repo.objects.commit(repo.refs.head("digits").commit)
    model = repo.objects.model(head.model)
    return {
        "commit": [("commit", repo.refs.head("digits").commit), ("commit", head.parents[0])],
        "model": [("model", head.model)],
        "component": [("component", model.component("head").id)],
        "snapshot": [("snapshot", head.snapshot)],
        "task": [("task", head.task_id)],
    }


def outcome_of(reports, name: str) -> str:
    return next(
        report.outcome for report in reports if name in {getattr(report, "task", ""), getattr(report, "name", "")}
    )


class TestWhatIsBelieved:
    @pytest.mark.parametrize("kind", ["commit", "model", "component", "task"])
    def test_nothing_of_what_is_here_and_of_another_task(self, ann: Repository, kind: str) -> None:
        nodes = of_digits(ann)[kind]
        stone = sample_tombstone("evil", 9, objects=[f"{kind}/{oid}" for kind, oid in nodes])
        assert [one.objects for one in believed([stone], ann.objects, ann.identity)] == [()]
        own = replace(stone, task="digits")
        assert believed([own], ann.objects, ann.identity) == (own,)

    def test_a_history_begins_only_with_what_one_of_its_task_can_begin_with(self, ann: Repository) -> None:
        first, second = (ann.refs.entry("digits", number)[0].commit for number in (1, 2))
        unknown = "ab" * 32
        for task, roots in (("evil", (unknown,)), ("digits", (first, unknown))):
            stone = sample_tombstone(task, 9, roots=[first, second, unknown])
            assert believed([stone], ann.objects, ann.identity)[0].roots == roots

    def test_what_is_not_here_stays_listed(self, ann: Repository) -> None:
        stone = sample_tombstone("evil", 9, objects=[f"model/{'ab' * 32}"])
        assert believed([stone], ann.objects, ann.identity) == (stone,)

    def test_none_of_another_repository_or_that_is_refused(self, ann: Repository) -> None:
        stone = sample_tombstone("digits", 9, objects=[f"model/{'ab' * 32}"])
        foreign = replace(stone, identity="ab" * 16)
        assert believed([stone, foreign], ann.objects, ann.identity) == (stone,)
        assert believed([stone], ann.objects, ann.identity, lambda _: "it is not signed") == ()

    def test_what_two_tasks_list_is_listed_by_both(self) -> None:
        node: Node = ("component", "ab" * 32)
        purged = Purged([sample_tombstone(task, 1, objects=["/".join(node)]) for task in ("a", "z")])
        assert [purged.is_listed(node, task) for task in ("a", "z", "b")] == [True, True, False]

    def test_snapshots_and_tasks_come_back_and_models_do_not(self) -> None:
        names = [f"{kind}/{'ab' * 32}" for kind in ("commit", "component", "model", "snapshot", "task")]
        purged = Purged([sample_tombstone("a", 1, objects=names)])
        forbidden = [name for name in names if purged.forbids(tuple(name.split("/")))]
        assert forbidden == names[:3]


class TestOthersGoOn:
    @both
    def test_with_everything_listed_pushes_pulls_tags_and_clones_go_on(
        self, ann: Repository, later: Context, tmp_path: Path
    ) -> None:
        origin = ann.config.remotes["origin"]
        there(ann).whole_purge("evil", others=of_digits(ann)["commit"])
        there(ann).stone("evil", roots=[ann.refs.entry("digits", 1)[0].commit])
        evolve_sample(ann, "digits", score=0.9, seed=90)
        assert outcome_of(pull(ann, later).tasks, "digits") == "ahead"
        assert outcome_of(push(ann, later).tasks, "digits") == "updated"
        clone(origin.url, "carl", later, full=True, options=origin.options)
        assert load_system(open_repository(tmp_path / "carl")).heads["digits"].model.score == 0.9

    @pytest.mark.parametrize("kind", ["commit", "model", "component", "snapshot", "task"])
    def test_each_kind_alone(self, ann: Repository, later: Context, kind: str) -> None:
        evolve_sample(ann, "digits", score=0.9, seed=90)
        there(ann).stone("evil", of_digits(ann)[kind], through=0)
        assert status(fresh(ann), later).remotes[0].relations["digits"] == "ahead"
        assert outcome_of(push(ann, later).tasks, "digits") == "updated"
        assert outcome_of(pull(ann, later).tasks, "digits") == "up-to-date"

    def test_a_foreign_tombstone_of_the_very_task_counts_for_nothing(self, ann: Repository, later: Context) -> None:
        evolve_sample(ann, "digits", score=0.9, seed=90)
        first = ann.refs.entry("digits", 1)[0].commit
        listed = [node for nodes in of_digits(ann).values() for node in nodes]
        there(ann).stone("digits", listed, roots=[first], identity="ab" * 16)
        assert outcome_of(push(ann, later).tasks, "digits") == "updated"
        report = fsck(ann, later, remote="origin")
        assert [(found.kind, "of another repository" in found.message) for found in report.warnings] == [
            ("foreign", True)
        ]


def lose(remote: Forger, nodes: list[Node]) -> None:
    for node in nodes:
        remote.store.delete(object_key(*node))


class TestWhatIsAliveIsMissed:
    @both
    def test_deleted_and_listed_it_is_found_and_healed_from_here(self, ann: Repository, later: Context) -> None:
        there(ann).whole_purge("evil")
        pull(ann, later)
        lose(there(ann), [node for node in there(ann).everything() if node[0] == "component"])
        (node,) = of_digits(ann)["component"]
        assert "/".join(node) in {problem.object for problem in fsck(ann, later, remote="origin").problems}
        fsck(ann, later, remote="origin", repair_from=str(ann.worktree))
        assert fsck(ann, later, remote="origin").problems == ()
        assert there(ann).objects.has(*node)

    @pytest.mark.parametrize("kind", ["commit", "model", "snapshot", "task"])
    def test_so_is_every_other_kind(self, ann: Repository, later: Context, kind: str) -> None:
        there(ann).whole_purge("evil")
        lost = of_digits(ann)[kind]
        lose(there(ann), lost)
        assert "/".join(lost[0]) in {problem.object for problem in fsck(ann, later, remote="origin").problems}
        fsck(ann, later, remote="origin", repair_from=str(ann.worktree))
        assert fsck(ann, later, remote="origin").problems == ()

    def test_such_a_listing_is_named_and_what_is_to_be_done(self, ann: Repository, later: Context) -> None:
        there(ann).stone("evil", of_digits(ann)["model"], through=0)
        report = fsck(ann, later, remote="origin")
        (warning,) = report.warnings
        assert (report.problems, warning.kind, warning.object) == ((), "forged", "refs/purged/evil/00000001")
        assert "1 objects went with evil which others need (model " in warning.message
        assert "ask who may write here" in warning.message

    def test_an_honest_purge_is_no_such_listing(self, ann: Repository, later: Context) -> None:
        purge(ann, later, "evil", remote="origin", settle=lambda: None)
        report = fsck(ann, later, remote="origin")
        assert (report.problems, report.warnings) == ((), ())


def age(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            os.utime(file, (1_600_000_000,) * 2)


class TestGarbage:
    def test_what_a_tag_holds_stays_though_its_commit_is_listed(
        self, ann: Repository, origin: Remote, later: Context
    ) -> None:
        """A tag of work that no head reaches any more, on the remote and here."""
        for entry in list(there(ann).store.list("refs/heads/digits")):
            there(ann).store.delete(entry)
        there(ann).stone("digits", there(ann).everything(), through=99)
        age(Path(origin.url))
        before = set(there(ann).store.list("objects"))
        assert gc(ann, later, remote="origin", dry_run=False, settle=lambda: None).num_objects == 0
        assert set(there(ann).store.list("objects")) == before

    def test_a_head_whose_newest_commit_is_listed_and_gone_stops_it(
        self, ann: Repository, origin: Remote, later: Context
    ) -> None:
        """Else all that only this commit reached would be garbage."""
        there(ann).stone("evil", of_digits(ann)["commit"], through=0)
        lose(there(ann), of_digits(ann)["commit"][:1])
        age(Path(origin.url))
        before = set(there(ann).store.list("objects"))
        remote = open_repository(Path(origin.url))
        with pytest.raises(Exception, match="is missing") as error:
            gc(remote, later, dry_run=False)
        assert "Nothing was deleted" in error.value.hint
        assert set(there(ann).store.list("objects")) == before

    def test_a_purge_of_the_lying_task_takes_no_strays_of_others(self, ann: Repository, later: Context) -> None:
        """What a colleague is just sending, nothing there refers to yet."""
        evolve_sample(ann, "digits", score=0.9, seed=90)
        sent = [node for nodes in of_digits(ann).values() for node in nodes]
        for node in sent:
            there(ann).store.create(object_key(*node), ann.store.read(object_key(*node)))
        there(ann).stone("evil", sent)
        purge(ann, later, "evil", remote="origin", settle=lambda: None)
        gone = [node for node in sent if node[0] != "snapshot" and not there(ann).objects.has(*node)]
        assert gone == []

    def test_a_purge_ends_though_another_task_lists_the_same(self, ann: Repository, later: Context) -> None:
        listed = [node for nodes in of_digits(ann).values() for node in nodes]
        there(ann).stone("zz", listed, through=1)
        there(ann).stone("aa", listed, through=1)
        assert purge(ann, later, "digits", remote="origin", settle=lambda: None).num_objects > 0
        assert not there(ann).objects.has(*of_digits(ann)["component"][0])
        assert is_purge(there(ann).objects.commit(there(ann).refs.head("digits").commit))


@pytest.mark.parametrize("what", ["its commit", "its snapshot", "what it builds on"])
def test_a_tag_is_fetched_whatever_others_list_of_it(
    ann: Repository, origin: Remote, later: Context, tmp_path: Path, what: str
) -> None:
    clone(origin.url, "bob", later)
    old = of_digits(ann)["commit"]
    evolve_sample(ann, "digits", score=0.9, seed=90)
    tag(ann, later, "v2")
    push(ann, later)
    listed: dict[str, list[Node]] = {
        "its commit": of_digits(ann)["commit"][:1],
        "its snapshot": [("snapshot", ann.refs.tag("v2"))],
        "what it builds on": old,
    }
    there(ann).stone("zz", listed[what], through=1)
    bob = open_repository(tmp_path / "bob")
    receive, fetched = connect(ann.config.remotes["origin"]), read_tracking(bob.state, bob.config.remotes["origin"])
    note_purged(bob, receive)
    arrivals = Arrivals(identity=bob.identity)
    _, reports = fetch_tags(
        bob, receive, fetched, Policy(), counter=Counter(), arrivals=arrivals
    )  # before its heads are
    assert outcome_of(reports, "v2") == "new"


class TestMany:
    def test_numbers_that_somebody_took_do_not_keep_a_purge_from_ending(self, ann: Repository, later: Context) -> None:
        folder = there(ann).store.local_path("refs/purged/digits/00000001").parent
        folder.mkdir(parents=True)
        for number in (*range(1, 200), 99_999_999):
            (folder / f"{number:08d}").write_bytes(b"taken")
        refs = ann.refs
        refs.store = store = WrappedStore(there(ann).store)
        stone = sample_tombstone("digits", 2)
        assert refs.create_tombstone(stone) == "refs/purged/digits/00000200"
        assert store.calls["create"] == 1
        assert refs.create_tombstone(stone) == "refs/purged/digits/00000200"

    def test_thousands_of_made_up_ids_are_not_looked_for_one_by_one(self, ann: Repository) -> None:
        (real,) = of_digits(ann)["model"]
        names = [f"model/{number:064x}" for number in range(3_000)] + ["/".join(real)]
        ann.objects.store = store = WrappedStore(ann.store)
        (stone,) = believed([sample_tombstone("evil", 1, objects=names)], ann.objects, ann.identity)
        assert len(stone.objects) == 3_000
        assert store.calls["exists"] < 10

    def test_whoever_lists_all_of_a_task_first_keeps_no_signed_purge_from_being_told(self, ann: Repository) -> None:
        """Where purges have to be signed, what anybody else listed counts for nothing."""
        place, digits = here(ann), ann.refs.head("digits")
        assert digits is not None
        listed = list(ancestry(ann.objects, [digits.commit]))
        ann.refs.create_tombstone(sample_tombstone("digits", 9, objects=[f"commit/{oid}" for oid in listed]))

        def sign(stone: Tombstone) -> Tombstone:
            return replace(stone, signature=Signature(key="1" * 64, value="2" * 128))

        agent = Agent(id="a" * 32, host="", device="none")
        store = partial(store_purge_commit, place, agent=agent, now=_AT)
        for _ in range(2):
            bury(place, "digits", store, now=_AT, sign=sign)
            stones = [stone for stone in ann.refs.every_tombstone() if stone.signature is not None]
            assert len(stones) == 1
            assert {f"commit/{oid}" for oid in listed} <= set(stones[0].objects)
