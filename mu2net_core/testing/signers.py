"""People with keys, what they sign, and whoever has none but can write where they share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from mu2net_core.api import config
from mu2net_core.api.context import Context
from mu2net_core.api.signing import put_commit
from mu2net_core.errors import Mu2netError
from mu2net_core.objects import HeadEntry, encode
from mu2net_core.repo import HeadState, Remote, Repository
from mu2net_core.repo.closure import Node, load_manifest, needs
from mu2net_core.repo.epoch import new_epoch
from mu2net_core.repo.outcomes import Exchange, NameReport, TaskReport
from mu2net_core.repo.ref_files import entry_key
from mu2net_core.repo.remotes import connect
from mu2net_core.testing.samples import add_sample_task, evolve_sample

__all__ = ["KEYS", "Intruder", "allow", "public", "sign_as", "signed", "ticking", "told"]

KEYS = {name: Ed25519PrivateKey.from_private_bytes(bytes([seed] * 32)) for seed, name in enumerate(("ann", "eve"))}


def public(name: str) -> str:
    """Returns somebody's public key as OpenSSH writes it."""
    return KEYS[name].public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def sign_as(repo: Repository, context: Context, name: str) -> None:
    """Lets everything that is made in a repository be signed by somebody."""
    path = context.cwd / f"{name}.key"
    path.write_bytes(KEYS[name].private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    config.set_(repo, context, "sign.key", str(path))


def allow(context: Context, *names: str) -> Path:
    """Returns a file of allowed keys with those of ``names``."""
    path = context.cwd / "allowed"
    path.write_text("# the team\n\n" + "".join(f"{name}@example.org {public(name)} of the laptop\n" for name in names))
    return path


def signed(
    repo: Repository, context: Context, task: str, *, score: float | None = None, seed: int | None = None
) -> str:
    """Does the work of a sample iteration, or of adding a sample task, and signs it; returns the commit."""
    before = repo.refs.head(task)
    done = add_sample_task(repo, task) if score is None else evolve_sample(repo, task, score=score, seed=seed)
    commit_id = put_commit(repo, context, repo.objects.commit(done.commit))
    repo.store.delete(entry_key(task, done.number))
    repo.refs._known.clear()
    return repo.refs.append(task, commit_id, after=before).commit


def ticking(context: Context) -> Context:
    """Returns a context whose clock moves on by a minute at each look, so that nothing was looked at just now."""
    begin, ticks = context.now(), count()
    return replace(context, now=lambda: begin + timedelta(minutes=next(ticks)))


def told(call: Callable[[], Exchange]) -> str:
    """Returns what a command says went wrong, as an error or name by name; empty if nothing did."""
    try:
        result = call()
    except Mu2netError as exc:
        return exc.message
    reports: list[TaskReport | NameReport] = [*result.tasks, *result.tags, *result.roots]
    bad = [f"{report.outcome}: {report.reason}" for report in reports if report.outcome in {"broken", "refused"}]
    return "; ".join(bad)


@dataclass(frozen=True)
class Intruder:
    """Somebody who can write any bytes where others share, and has no key."""

    remote: Remote

    def head(self, task: str) -> HeadState:
        """Returns the newest entry of a head."""
        state = connect(self.remote).refs.head(task)
        assert state is not None
        return state

    def bring(self, source: Repository, *tips: Node) -> None:
        """Puts objects of another repository there, with all that they need."""
        there, pending, seen = connect(self.remote).objects, list(tips), set[Node]()
        while pending:
            kind, oid = node = pending.pop()
            if node in seen:
                continue
            seen.add(node)
            there.put_bytes(kind, source.objects.read(kind, oid))
            if kind != "component":
                pending += needs(load_manifest(source.objects, node))
            if kind == "model":
                pending += [("component", ref.id) for ref in source.objects.model(oid).components]

    def move(self, task: str, commit_id: str) -> None:
        """Lets a head move to a commit, whatever that is."""
        refs = connect(self.remote).refs
        refs.append(task, commit_id, after=refs.head(task))

    def overwrite(self, task: str, commit_id: str) -> None:
        """Lets the newest entry of a head name another commit."""
        there = connect(self.remote)
        newest = self.head(task)
        before = there.refs.entry(task, newest.number - 1)[0]
        there.store.delete(entry_key(task, newest.number))
        there.store.create(
            entry_key(task, newest.number), encode(HeadEntry(commit=commit_id, previous=before.entry_hash))
        )

    def begin_epoch(self) -> None:
        """Lets everybody look at everything again."""
        new_epoch(connect(self.remote).store)
