"""Bringing the components a partial clone lacks before they are needed: many at a time, not one by one."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from mu2net_core.errors import CorruptObjectError
from mu2net_core.objects import ComponentRef
from mu2net_core.repo.core import ObjectDatabase, Repository, Workers
from mu2net_core.repo.history import check_parts
from mu2net_core.repo.remotes.reports import Counter

__all__ = ["bring_components", "bring_models"]


def bring_models(repo: Repository, model_ids: Iterable[str], *, what: str, counter: Counter) -> None:
    """Brings the components of whole models, as far as they are missing."""
    refs = (ref for model_id in dict.fromkeys(model_ids) for ref in repo.objects.model(model_id).components)
    bring_components(repo, refs, what=what, counter=counter)


def bring_components(repo: Repository, refs: Iterable[ComponentRef], *, counter: Counter, what: str = "model") -> None:
    """Brings those of ``refs`` that are not here, from wherever a partial clone brings what it lacks.

    Raises:
        NotFoundError: one is nowhere.
        CorruptObjectError: one is damaged over there, or one, here before or not, tells of more than its model does.
    """
    refs = tuple(refs)
    missing = [ref for ref in {ref.id: ref for ref in refs}.values() if not repo.objects.has("component", ref.id)]
    counter.expect(len(missing), sum(ref.size_bytes for ref in missing))
    with Workers[int]() as workers:
        for ref in missing:
            workers.submit(partial(_bring, repo.objects, ref), size_bytes=ref.size_bytes)
        for size_bytes in workers.results():
            counter.add(what, size_bytes)
    try:
        check_parts(refs, repo.objects)
    except CorruptObjectError as exc:
        raise CorruptObjectError(
            f"A model that others wrote is not used. {exc.message}", hint="`mu2net fsck` says which one it is."
        ) from exc


def _bring(objects: ObjectDatabase, ref: ComponentRef) -> int:
    return len(objects.read("component", ref.id))
