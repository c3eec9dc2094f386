"""The components of a partial clone that could be brought again: what there is, and keeping it within bounds."""

from __future__ import annotations

from mu2net_core.api.context import Context
from mu2net_core.api.iterations.running import running_tips
from mu2net_core.api.settings.own import MAX_SIZE
from mu2net_core.api.settings.sizes import parse_size
from mu2net_core.errors import Mu2netError
from mu2net_core.repo import Layers, Repository
from mu2net_core.repo.core import read_user_config
from mu2net_core.repo.remotes import CacheReport, PruneReport, inspect_cache, prune_cache

__all__ = ["CacheReport", "PruneReport", "info", "keep_bounded", "prune"]


def info(repo: Repository, context: Context) -> CacheReport:  # noqa: ARG001  every verb takes it
    """Returns how many of the components here could be brought again, and from where; asks nobody."""
    return inspect_cache(repo)


def prune(repo: Repository, context: Context, max_size: str, *, dry_run: bool = False) -> PruneReport:  # noqa: ARG001
    """Deletes the components that were unused for longest, as far as they can be brought again.

    Args:
        repo: a working copy.
        context: of the call.
        max_size: bytes of cached components that may stay, e.g. ``2GB``.
        dry_run: only find out; asks nobody.

    Raises:
        InvalidInputError: ``max_size`` is no size.
    """
    return prune_cache(repo, parse_size(max_size), needed=_needed(repo), dry_run=dry_run)


def keep_bounded(repo: Repository, context: Context) -> None:
    """Keeps the cache within the setting ``cache.max_size``, if it is set; what goes wrong is only a warning."""
    layers = Layers(
        environ=context.environ, repository=repo.config.settings, user=read_user_config(context.user_config)
    )
    setting = layers.get(MAX_SIZE)
    if setting is None or setting.value == "" or not any(remote.partial for remote in repo.config.remotes.values()):
        return
    try:
        prune_cache(repo, parse_size(str(setting.value)), needed=_needed(repo))
    except Mu2netError as exc:
        context.warn(f"The cache was not kept within {MAX_SIZE} = {setting.value}: {exc.message}")


def _needed(repo: Repository) -> frozenset[str]:
    """Returns the components that running iterations need."""
    tips = running_tips(repo)
    models = {ref.id for oid in tips.models for ref in repo.objects.model(oid).components}
    return frozenset({oid for kind, oid in tips.others if kind == "component"} | models)
