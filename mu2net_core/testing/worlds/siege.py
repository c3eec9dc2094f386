"""A stage on which somebody attacks the remote, and what honest people are promised all the same."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.signing.signing import commit_signer
from mu2net_core.api.upkeep import fsck as api_fsck
from mu2net_core.errors import Mu2netError
from mu2net_core.repo import open_repository
from mu2net_core.repo.checking import fsck
from mu2net_core.repo.remotes import Exchange, ExchangeConflictError, Node, RemoteBehindError
from mu2net_core.storage import LocalStore, replace_file
from mu2net_core.testing.attacks.attacker import ELSEWHERE, EVERYTHING, Attacker
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample
from mu2net_core.testing.worlds.invariants import head_log, reached
from mu2net_core.testing.worlds.invariants import purged as purged_in
from mu2net_core.testing.worlds.stage import RULES, TEAM, is_shared, is_usual
from mu2net_core.testing.worlds.world import World

__all__ = ["ATTACKS", "Siege", "besiege"]

_NOTHING = "ab" * 32
_OUTCOMES = frozenset({"broken", "refused", "conflict"})

ATTACKS: dict[str, Callable[[Attacker, str, str], frozenset[str]]] = {
    "absurd score": lambda attacker, task, _: attacker.absurd_score(task),
    "absurd time": lambda attacker, task, _: attacker.absurd_time(task),
    "another's commit": lambda attacker, task, other: attacker.head_of(task, attacker.head(other).commit),
    "another's model": lambda attacker, task, other: attacker.other_model(task, attacker.model_id(other)),
    "damaged head": lambda attacker, task, _: attacker.bad_head(task),
    "damaged root": lambda attacker, *_: attacker.bad_ref("roots", "evil-root"),
    "damaged tag": lambda attacker, *_: attacker.bad_ref("tags", "evil-tag"),
    "damaged tombstone": lambda attacker, task, _: attacker.bad_ref("purged", f"{task}/00000009"),
    "deep root": lambda attacker, *_: attacker.bad_ref("roots", "tiny-2/deep", f"{_NOTHING}\n".encode()),
    "empty head": lambda attacker, task, _: attacker.bad_head(task, b""),
    "foreign history": lambda attacker, task, _: attacker.foreign_history(task),
    "foreign tombstone": lambda attacker, task, other: attacker.forged_stone(task, _all_of(attacker, other), ELSEWHERE),
    "forged purge": lambda attacker, task, _: attacker.forged_purge(task, listed=_all_of(attacker, task)),
    "gap": lambda attacker, task, _: attacker.gap(task),
    "group name": lambda attacker, *_: attacker.group_name(TEAM),
    "head of nothing": lambda attacker, task, _: attacker.head_of(task, _NOTHING),
    "merge across": lambda attacker, task, other: attacker.merge_across(task, other),
    "older state": lambda attacker, task, _: attacker.older_state(task, 1),
    "ordinary": lambda attacker, task, _: attacker.ordinary(task),
    "poisoned counters": lambda attacker, task, _: attacker.poison_counters(task),
    "purge without tombstone": lambda attacker, task, _: attacker.forged_purge(task, stone=False),
    "replaced entry": lambda attacker, task, _: attacker.replace_entry(task),
    "rewritten": lambda attacker, task, _: attacker.rewritten(task),
    "rollback": lambda attacker, task, _: attacker.rollback(task, 1),
    "rollback unseen": lambda attacker, task, _: attacker.rollback(task, 1, forget=True),
    "root of nothing": lambda attacker, *_: attacker.root_of(_NOTHING),
    "root of somebody's": lambda attacker, _, other: attacker.root_of(attacker.model_id(other)),
    "skipped iterations": lambda attacker, task, _: attacker.skip_iterations(task),
    "tag of nothing": lambda attacker, task, _: attacker.tag_of({task: _NOTHING}),
    "tombstone of others' work": lambda attacker, task, other: attacker.forged_stone(task, _all_of(attacker, other)),
    "vanished head": lambda attacker, task, _: attacker.delete(f"refs/heads/{task}") and frozenset({task}),
    "wider": lambda attacker, task, _: attacker.wider_task_object(task),
    "works of nobody": lambda attacker, *_: attacker.delete("objects/commit"),
}
"""What an attacker can do to a task, given another one: every one returns the names that are hit, or ``EVERYTHING``."""

_HONEST = frozenset({"forged purge", "ordinary", "purge without tombstone", "rewritten", "wider"})
"""Those that anybody might do who works on the task, so that a fresh clone cannot tell; all else gets into none."""


@dataclass(slots=True)
class Siege(World):
    """Working copies and a remote that an attacker writes into, too.

    Attributes:
        strict: whether all honest work is signed, and nothing else is taken over.
        attacked: names that were attacked.
        manifests: ids of the manifests that the attacker wrote, and nobody may take over.
        named_groups: those of them that are of a task called like a group.
        without_groups: working copies that knew of no such group when they took over that task.
    """

    strict: bool = False
    attacked: set[str] = field(default_factory=set)
    manifests: set[str] = field(default_factory=set)
    named_groups: set[str] = field(default_factory=set)
    without_groups: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Makes the working copies, and the only key there is."""
        World.__post_init__(self)
        if self.strict:
            self._write_keys()
        for number in range(self.clones):
            self.open(number).update_config(lambda config: replace(config, settings={}))  # nobody follows purges
            if self.strict:
                self._require_signed(number)

    def attack(self, what: str, task: str, other: str) -> None:
        """Attacks a task on the remote, with what there is of another one, if there is anything to attack yet."""
        if task == other:
            return
        attacker = Attacker(store=LocalStore(self.remote))
        try:
            hit = ATTACKS[what](attacker, task, other)
        except (Mu2netError, AssertionError, ValueError):  # he is in his own way: what he would build on is gone
            hit = frozenset({task})
        self.attacked |= hit
        self.named_groups |= attacker.made if what == "group name" else set()
        self.manifests |= attacker.made if self.strict or what not in _HONEST else set()

    def is_safe(self, task: str) -> bool:
        """Returns whether nobody attacked a task that is shared."""
        return task in RULES and is_shared(task) and not self.attacked & {task, *EVERYTHING}

    def add(self, number: int, task: str) -> None:
        """Adds a task, signed if it has to be."""
        repo = self.open(number)
        if not self.strict:
            World.add(self, number, task)
        elif repo.refs.head(task) is None:
            sign = commit_signer(repo, self.context(number))
            self._note(number, task, add_sample_task(repo, task, RULES[task], sign=sign).commit)

    def evolve(self, number: int, task: str, score: float, parent_of: str | None, trains: list[str]) -> None:
        """Retains one new model, signed if it has to be."""
        if not self.strict:
            World.evolve(self, number, task, score, parent_of, trains)
            return
        repo = self.open(number)
        self.seeds += 1
        sign = commit_signer(repo, self.context(number))
        state = evolve_sample(repo, task, score=score, trains=trains, seed=self.seeds, sign=sign)
        self._note(number, task, state.commit)

    def exchange(self, number: int, command: Callable[[int], Exchange]) -> None:
        """Pushes or pulls, and asserts that nobody is blocked but who was attacked."""
        try:
            done = command(number)
        except (ExchangeConflictError, RemoteBehindError) as exc:  # all else was done
            done = exc.done
        except Mu2netError as exc:
            if not is_usual(exc) and not self._is_about_attacks(exc):
                raise
            return
        said = [(r.task, r.outcome, r.reason) for r in done.tasks if r.outcome in _OUTCOMES]
        said += [(r.name, r.outcome, r.reason) for r in (*done.tags, *done.roots) if r.outcome == "broken"]
        wrong = [entry for entry in said if self.is_safe(entry[0])]
        assert not wrong, f"{wrong} though only {sorted(self.attacked)} were attacked"

    def work_together(self, number: int, other: int, task: str) -> None:
        """Asserts that work on a task that nobody attacked gets from one working copy to another."""
        if not self.is_safe(task) or task not in self.alive(number):
            return
        self.exchange(number, self.pull)
        if task not in self.alive(number):
            return
        self.evolve(number, task, 0.8, None, ["head"])
        commit = self.moved[number, task][-1]
        self.exchange(number, self.push)
        self.exchange(other, self.pull)
        if not self.attacked & EVERYTHING:
            for place in (self.remote, self.path(other)):
                assert commit in self._ancestry(place, task), f"the work on {task} did not get to {place}"

    def check(self) -> None:
        """Asserts all that must be true in working copies at any moment, whatever is done to the remote."""
        for number in range(self.clones):
            place, remotes = self.path(number), self.open(number).config.remotes.values()
            self.inspector.check(place, lazy=any(remote.partial for remote in remotes))
            self._check_unforged(number)
            assert not purged_in(place).through, f"{number} purged what nobody purged there"
        self._check_own_moves()
        self._check_privacy()

    def check_with_fsck(self) -> None:
        """Asserts that the product's own check finds nothing in working copies."""
        for number in range(self.clones):
            problems = fsck(open_repository(self.path(number))).problems
            assert not problems or self.attacked & EVERYTHING, f"fsck of {number}: {problems}"

    def lift(self) -> None:
        """The attacker goes; lets everybody repair the remote, and asserts that all that is safe is the same then."""
        for number in range(self.clones):
            source = str(self.path(number))
            if self.remote.is_dir():
                api_fsck.fsck(self.open(number), self.context(number), remote="origin", repair_from=source)
        for number in (*range(self.clones), *range(self.clones)):
            for command in (self.pull, self.push):
                self.exchange(number, command)
        for task in RULES:
            heads = {head_log(self.path(number), task)[-1] for number in range(self.clones) if self._has(number, task)}
            assert len(heads) <= 1 or not self.is_safe(task), f"the heads of {task} are {heads}"

    def clone(self, number: int, *, full: bool) -> None:
        """Replaces a working copy by a fresh clone, which nobody can prevent who attacks but some names."""
        fresh, trusted = self.folder / f"fresh{number}", self.folder / "allowed" if self.strict else None
        try:
            clone(str(self.remote), fresh, self.context(number), full, readers=[TEAM], require_signed=trusted)
        except Mu2netError as exc:
            shutil.rmtree(fresh, ignore_errors=True)
            if not is_usual(exc) and not self.attacked & EVERYTHING:
                raise
            return
        agent = (self.path(number) / "state" / "agent").read_bytes()
        shutil.rmtree(self.path(number).parent)
        fresh.rename(self.path(number).parent)
        self.inspector.forget(self.path(number))
        self.moved = {place: commits for place, commits in self.moved.items() if place[0] != number}
        self.without_groups.discard(number)
        replace_file(self.path(number) / "state" / "agent", agent)
        if self.strict:
            self._require_signed(number)

    def _is_about_attacks(self, error: Mu2netError) -> bool:
        """Returns whether an error names what was attacked."""
        return "*" in self.attacked or any(re.search(rf"\b{re.escape(name)}\b", str(error)) for name in self.attacked)

    def _has(self, number: int, task: str) -> bool:
        return bool(head_log(self.path(number), task))

    def _ancestry(self, place: Path, task: str) -> set[str]:
        """Returns the commits that the newest entry of a head goes back to."""
        found: set[str] = set()
        pending = head_log(place, task)[-1:]
        while pending:
            oid = pending.pop()
            if oid not in found:
                found.add(oid)
                pending += Attacker(store=LocalStore(place)).objects.commit(oid).parents
        return found

    def _check_own_moves(self) -> None:
        """Asserts that nothing a command said it did in a working copy was lost there."""
        for (number, task), commits in self.moved.items():
            log = head_log(self.path(number), task)
            lost = [commit for commit in commits if log.count(commit) != 1]
            assert not lost, f"moves of {task} are not in the log of {number}: {lost}"

    def _check_unforged(self, number: int) -> None:
        """Asserts that nothing the attacker made became part of a working copy, but what anybody might have made."""
        found = {oid for _, oid in reached(self.path(number), purged_in(self.path(number)))} & self.manifests
        if found & self.named_groups and not self._has(number, "team-c"):
            self.without_groups.add(number)  # to a copy in which nobody names the group, it is a task like any other
        found -= self.named_groups if number in self.without_groups else set()
        assert not found, f"{number} took over {found}"

    def _write_keys(self) -> None:
        key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        (self.folder / "id").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
        public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        (self.folder / "allowed").write_text(f"ann@example.org {public}\n")

    def _require_signed(self, number: int) -> None:
        for key, file in (("sign.key", "id"), ("pull.require_signed", "allowed")):
            value = str(self.folder / file)
            self.open(number).update_config(lambda config, k=key, v=value: config.with_setting(k, v))  # type: ignore[misc]


def besiege(folder: Path, what: str, *, strict: bool = False) -> None:
    """Attacks one task while people work on others and somebody clones, and asserts that this is all that it hits."""
    siege = Siege(folder, strict=strict)
    for task in ("pub-a", "pub-b", "team-c"):
        siege.add(0, task)
        siege.evolve(0, task, 0.5, None, ["embedding", "head"])
    siege.push(0)
    siege.pull(1)
    siege.evolve(0, "pub-a", 0.6, None, ["head"])
    siege.push(0)
    siege.attack(what, "pub-a", "pub-b")
    for number in (0, 1):
        siege.exchange(number, siege.pull)
        siege.check()
    siege.work_together(0, 1, "pub-b")
    siege.clone(2, full=True)
    siege.work_together(2, 0, "team-c")
    siege.check()
    siege.check_with_fsck()


def _all_of(attacker: Attacker, task: str) -> list[Node]:
    """Returns what a tombstone lists that takes all of a task for its own."""
    commit = attacker.tip(task)
    found: list[Node] = [("commit", oid) for oid in (attacker.head(task).commit, *commit.parents)]
    if commit.model is not None:
        found.append(("model", commit.model))
        found += [("component", ref.id) for ref in attacker.objects.model(commit.model).components]
    return found
