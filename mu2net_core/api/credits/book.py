"""What credits are counted from: the history of heads, what each commit of it brought, and who vouches for that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mu2net_core.api.context import Context
from mu2net_core.api.credits.tally import accepted, first_of, reused
from mu2net_core.api.signing.signing import is_valid
from mu2net_core.errors import CorruptObjectError, InvalidInputError, NotFoundError
from mu2net_core.objects import Commit, signed_bytes
from mu2net_core.repo import Repository
from mu2net_core.repo.history import Contribution, Contributions, History, Past

__all__ = ["Book"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """All that is counted from.

    Attributes:
        repo: the repository.
        heads: commits by task.
        pasts: the whole history of these, by commit id.
        brought: what each commit of it brought.
    """

    repo: Repository
    heads: Mapping[str, str]
    pasts: Mapping[str, Past]
    brought: Mapping[str, Contribution]

    @classmethod
    def of(cls, repo: Repository, context: Context, heads: Mapping[str, str]) -> Book:
        """Reads what is noted of the history, and notes what is not yet."""
        signatures = _Signatures(repo=repo, context=context)
        contributions = Contributions(repo, signatures.is_good)
        pasts, brought = dict[str, Past](), dict[str, Contribution]()
        for past in History(repo).walk(heads.values()):  # what it reads is at hand for the other
            pasts[past.oid], brought[past.oid] = past, contributions.of(past.oid)
        contributions.keep()
        return cls(repo=repo, heads=heads, pasts=pasts, brought=brought)

    def accepted(self) -> frozenset[str]:
        """Returns the commits that the heads came to their models by."""
        tips = self.heads.values()
        return frozenset(oid for tip in tips for oid in accepted(tip, self.pasts, self._is_signed))

    def uses(self) -> Iterator[tuple[Past, str]]:
        """Yields each commit that trained what the head of another task holds, with that task."""
        first = first_of((past, self.brought[oid]) for oid, past in self.pasts.items())
        for task, tip in self.heads.items():
            past = self.pasts[tip]
            if past.model is not None:
                model = self.repo.objects.model(past.model)
                yield from ((maker, task) for maker in reused(model, past.model, first, self._parent_of))

    def _is_signed(self, oid: str) -> bool:
        return bool(self.brought[oid].vouched)

    def _parent_of(self, model_id: str) -> str | None:
        try:
            return self.repo.objects.model(model_id).parent
        except (CorruptObjectError, NotFoundError):
            return None  # purged, or not to be had: what is older cannot be told


@dataclass(slots=True, kw_only=True)
class _Signatures:
    """Checks signatures as long as it can, and says once if it cannot."""

    repo: Repository
    context: Context
    is_able: bool = True

    def is_good(self, oid: str, commit: Commit) -> bool | None:
        """Returns whether the key that a commit names did sign it; None if nobody can tell here."""
        if not self.is_able or commit.signature is None:
            return None
        try:
            return is_valid(commit.signature, signed_bytes("commit", self.repo.objects.read("commit", oid)))
        except InvalidInputError as exc:
            self.is_able = False
            self.context.warn(f"{exc.message} {exc.hint}")
            return None
