"""The verbs that keep a repository healthy, and its settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from mu2net_core.api.facade.base import RepoBase
from mu2net_core.api.quiet import ignore

if TYPE_CHECKING:
    from mu2net_core.api.setup.config import DescribedSetting
    from mu2net_core.api.setup.doctor import DoctorReport
    from mu2net_core.api.signing.verify import VerifyReport
    from mu2net_core.repo import Setting
    from mu2net_core.repo.checking import FsckReport
    from mu2net_core.repo.core import Value
    from mu2net_core.repo.remotes import CacheReport, PruneReport
    from mu2net_core.repo.upkeep import GcReport

__all__ = ["Upkeep"]


class Upkeep(RepoBase):
    """Keep it healthy."""

    def config(self, key: str) -> Setting:
        """Returns the value in force of a setting, and where it comes from.

        Args:
            key: e.g. ``evolve.children``.

        Raises:
            NotFoundError: there is no such setting; near names are in the hint.
        """
        from mu2net_core.api.setup.config import get

        return get(self.repository, self.context, key)

    def settings(self, prefix: str = "") -> tuple[DescribedSetting, ...]:
        """Returns settings with the value in force, where it comes from and what it means, sorted by key.

        Args:
            prefix: what their keys begin with, e.g. ``evolve``; by default all.

        Raises:
            NotFoundError: there are none.
        """
        from mu2net_core.api.setup.config import list_

        return list_(self.repository, self.context, prefix)

    def set_config(self, key: str, value: Value) -> Setting:
        """Sets a setting in the repository, and returns the value in force.

        Args:
            key: e.g. ``evolve.children``; ``data.TASK`` is where that task's data lies on this machine.
            value: a truth value, number, text or list.

        Raises:
            NotFoundError: there is no such setting.
            InvalidInputError: the value is of the wrong type or range.
        """
        from mu2net_core.api.setup.config import set_

        text = value if isinstance(value, str) else json.dumps(value)
        return set_(self.repository, self.context, key, text)

    def unset_config(self, key: str) -> Setting | None:
        """Removes a setting from the repository, and returns the value in force now, None if there is none.

        Args:
            key: e.g. ``evolve.children``.

        Raises:
            NotFoundError: it is not set in the repository.
            InvalidInputError: it is chosen once, when a repository is made.
        """
        from mu2net_core.api.setup.config import unset

        return unset(self.repository, self.context, key)

    def verify(self, revision: str | None = None, *, keys: Path | None = None) -> VerifyReport:
        """Returns who signed the history of a task, a commit or a tag; of everything by default.

        Args:
            revision: a task, commit or tag; None for all heads and tags.
            keys: a file of allowed keys, as ssh's ``allowed_signers``; by default what ``pull.require_signed`` names.

        Raises:
            NotFoundError: nothing is called so, or there is no such file of keys.
            InvalidInputError: it names something that cannot be signed, or the keys cannot be read.
        """
        from mu2net_core.api.signing.verify import verify

        return verify(self.repository, self.context, revision, keys=keys)

    def fsck(
        self,
        *,
        remote: str | None = None,
        repair_from: str | None = None,
        subset: str | None = None,
        progress: Callable[[str, int, int], None] = ignore,
    ) -> FsckReport:
        """Checks every object, reference and access rule, here or on a remote, after repairs if asked for.

        Args:
            remote: name of the remote to check; None for here.
            repair_from: name of a remote, or the folder or URL of any other copy, to take good copies from.
            subset: which part of the objects to hash: ``n/m`` is the n-th of m parts; by default all.
            progress: told what is being done, how much of it is done, and how much it is.

        Raises:
            NotFoundError: there is no such remote, or no repository at ``repair_from``.
            InvalidInputError: ``subset`` is no such part.
            AccessDeniedError: permissions forbid a repair.
        """
        from mu2net_core.api.upkeep.fsck import fsck

        return fsck(
            self.repository, self.context, remote=remote, repair_from=repair_from, subset=subset, progress=progress
        )

    def gc(
        self,
        *,
        remote: str | None = None,
        grace: timedelta = timedelta(days=14),
        dry_run: bool = True,
        progress: Callable[[str, int], None] = ignore,
    ) -> GcReport:
        """Finds what nobody needs any more; deletes it if it is no dry run.

        Args:
            remote: name of the remote to collect on; None for here.
            grace: how long what nobody reaches stays; never shorter than a push may take.
            dry_run: only find out.
            progress: told what is being done, and to how many objects.

        Raises:
            NotFoundError: there is no such remote, or no repository there.
            ConflictError: a clone into this repository is not finished.
            CorruptObjectError: what must stay cannot be found out; nothing was deleted.
            AccessDeniedError: permissions forbid it.
        """
        from mu2net_core.api.upkeep.gc import gc

        return gc(self.repository, self.context, remote=remote, grace=grace, dry_run=dry_run, progress=progress)

    def cache(self) -> CacheReport:
        """Returns how many of the components here could be brought again, and from where; asks nobody."""
        from mu2net_core.api.models.cache import info

        return info(self.repository, self.context)

    def prune_cache(self, max_size: str, *, dry_run: bool = False) -> PruneReport:
        """Deletes the components that were unused for longest and can be brought again.

        Args:
            max_size: bytes of such components that may stay, e.g. ``2GB``.
            dry_run: only find out; asks nobody.

        Raises:
            InvalidInputError: ``max_size`` is no size.
        """
        from mu2net_core.api.models.cache import prune

        return prune(self.repository, self.context, max_size, dry_run=dry_run)

    def doctor(self) -> DoctorReport:
        """Returns versions, devices and storage, and what will not work."""
        from mu2net_core.api.setup.doctor import doctor

        return doctor(self.repository, self.context)
