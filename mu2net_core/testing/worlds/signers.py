"""People with keys, what they sign, and where they share it with somebody who has none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from mu2net_core.api.context import Context
from mu2net_core.api.setup import config
from mu2net_core.api.sharing import remote as remotes
from mu2net_core.api.sharing.clone import CloneResult, clone
from mu2net_core.api.sharing.push import push
from mu2net_core.api.signing.signing import put_commit
from mu2net_core.errors import Mu2netError
from mu2net_core.repo import Remote, Repository, open_repository
from mu2net_core.repo.core import entry_key
from mu2net_core.repo.remotes import Exchange, NameReport, TaskReport
from mu2net_core.testing.attacks.writer import Writer
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository

__all__ = ["KEYS", "SignedScene", "allow", "public", "set_scene", "sign_as", "signed", "ticking", "told"]

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


def told(call: Callable[[], Exchange | CloneResult]) -> str:
    """Returns what a command says went wrong, as an error or name by name; empty if nothing did."""
    try:
        result = call()
    except Mu2netError as exc:
        return exc.message
    reports: list[TaskReport | NameReport] = [*result.tasks, *result.tags, *result.roots]
    bad = [f"{report.outcome}: {report.reason}" for report in reports if report.outcome in {"broken", "refused"}]
    return "; ".join(bad)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedScene:
    """Ann, who signs, and Bob, who may require it and signs nothing, share tasks; Mallory writes there without a key.

    Attributes:
        context: of all calls, at each look a minute later.
        ann: her working copy.
        bob: his.
        origin: where they share.
        keys: the file of allowed keys, in which is Ann's.
    """

    context: Context
    ann: Repository
    bob: Repository
    origin: Remote
    keys: Path

    @property
    def mallory(self) -> Writer:
        """Who writes where they share."""
        return Writer.into(self.origin)

    def clone(self, name: str, *, is_strict: bool) -> str:
        """Makes another clone, and returns what it says went wrong."""
        return told(lambda: clone_signed(self.origin, name, self.context, self.keys if is_strict else None))


def set_scene(
    context: Context, origin: Remote, work: Callable[[Repository, Context], object], *, is_strict: bool = True
) -> SignedScene:
    """Lets Ann do some ``work`` and push it, and Bob clone it; with ``is_strict`` he requires it to be signed."""
    context = ticking(context)
    ann = sample_repository(context.cwd / "ann")
    sign_as(ann, context, "ann")
    remotes.add(ann, context, origin.name, origin.url, options=origin.options)
    work(ann, context)
    push(ann, context)
    keys = allow(context, "ann")
    bob = clone_signed(origin, "bob", context, keys if is_strict else None)
    return SignedScene(context=context, ann=ann, bob=open_repository(bob.path), origin=origin, keys=keys)


def clone_signed(origin: Remote, name: str, context: Context, keys: Path | None) -> CloneResult:
    """Clones a place; if there are ``keys``, what it has must be signed by one of them."""
    return clone(origin.url, name, context, options=origin.options, require_signed=keys)
