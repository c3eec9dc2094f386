"""The verbs that exchange a system with other people's copies of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mu2net_core.api.facade.base import RepoBase

if TYPE_CHECKING:
    from mu2net_core.api.sharing.check_remote import RemoteCheck
    from mu2net_core.api.sharing.remote import RemoteInfo
    from mu2net_core.api.sharing.tag import TagInfo
    from mu2net_core.repo.remotes import Exchange, Progress, PushPlan

__all__ = ["Sharing"]


class Sharing(RepoBase):
    """Share it."""

    def add_remote(
        self,
        name: str,
        url: str,
        *,
        readers: Iterable[str] = (),
        full: bool = False,
        options: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> RemoteInfo:
        """Makes another repository known; where there is none yet, the first push makes one.

        Args:
            name: what to call it.
            url: a folder or URL.
            readers: groups and tasks that can read it; empty for everybody, so that only public tasks go there.
            full: whether components come with every fetch, not only when something needs them.
            options: how to reach it: endpoint, region, profile, anonymous, account, project; never a secret.
            check: whether to probe it first.

        Raises:
            AlreadyExistsError: there is a remote of that name.
            InvalidInputError: the URL is of an unknown kind, holds a secret or other things, or is this repository.
            StorageError: it cannot be reached, or lets writers overwrite each other.
            AccessDeniedError: it may not be read.
            NotFoundError: the bucket is not there.
        """
        from mu2net_core.api.sharing.remote import add

        return add(self.repository, self.context, name, url, readers=readers, full=full, options=options, check=check)

    def set_remote(
        self, name: str, *, readers: Iterable[str] | None = None, options: Mapping[str, str] | None = None
    ) -> RemoteInfo:
        """Changes who can read a remote, or how it is reached.

        Args:
            name: of the remote.
            readers: who can read it from now on; empty for everybody, None for no change.
            options: replace those of the same name; an empty value takes one away.

        Raises:
            NotFoundError: there is no remote of that name.
            InvalidInputError: a value cannot be right, or is a secret.
        """
        from mu2net_core.api.sharing.remote import change

        return change(self.repository, name, readers=readers, options=options)

    def remotes(self) -> tuple[RemoteInfo, ...]:
        """Returns all remotes, sorted by name."""
        from mu2net_core.api.sharing.remote import list_

        return list_(self.repository)

    def check_remotes(self, name: str | None = None) -> tuple[RemoteCheck, ...]:
        """Tries what a remote, or every remote, allows and keeps.

        Args:
            name: of one remote; by default all are checked.

        Raises:
            NotFoundError: there is no such remote, or none at all.
        """
        from mu2net_core.api.sharing.check_remote import check

        return check(self.repository, self.context, name)

    def remove_remote(self, name: str) -> RemoteInfo:
        """Forgets a remote; nothing over there is touched.

        Args:
            name: of the remote.

        Raises:
            NotFoundError: there is no remote of that name.
            ConflictError: components that this repository needs are only there.
        """
        from mu2net_core.api.sharing.remote import remove

        return remove(self.repository, name)

    def fetch(
        self,
        remote: str | None = None,
        tasks: Sequence[str] = (),
        *,
        require_signed: Path | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Exchange:
        """Brings what is new on a remote here, and leaves our heads where they are.

        Args:
            remote: its name; by default ``origin``, or the only one.
            tasks: only these; by default all.
            require_signed: a file of allowed keys: tags must be signed by one of them.
            progress: told of every object.

        Raises:
            NotFoundError: there is no such remote, no repository there, or no such task on it.
            ConflictError: the remote's system grew from another root of the same name.
            CorruptObjectError: the remote sent what does not hash to its id.
        """
        from mu2net_core.api.sharing.fetch import fetch

        return fetch(self.repository, self.context, remote, tasks, require_signed=require_signed, progress=progress)

    def merge(
        self,
        remote: str | None = None,
        tasks: Sequence[str] = (),
        *,
        on_conflict: Literal["best", "ours", "theirs", "fail"] = "best",
        require_signed: Path | None = None,
    ) -> Exchange:
        """Joins the heads last fetched from a remote with ours, without asking it.

        Args:
            remote: its name; by default ``origin``, or the only one.
            tasks: only these; by default all that were fetched.
            on_conflict: ``best`` keeps the better score, ``ours`` and ``theirs`` a side, ``fail`` stops.
            require_signed: a file of allowed keys: a head whose new history one of them did not sign stays out.

        Raises:
            NotFoundError: there is no such remote, or no such task was fetched from it.
            ConflictError: heads diverged and ``on_conflict`` does not join them; all others moved.
        """
        from mu2net_core.api.sharing.merge import merge

        return merge(
            self.repository, self.context, remote, tasks, on_conflict=on_conflict, require_signed=require_signed
        )

    def pull(
        self,
        remote: str | None = None,
        tasks: Sequence[str] = (),
        *,
        on_conflict: Literal["best", "ours", "theirs", "fail"] = "best",
        require_signed: Path | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Exchange:
        """Brings a remote's work here and joins it with ours.

        Args:
            remote: its name; by default ``origin``, or the only one.
            tasks: only these, with the components of their models; by default all.
            on_conflict: ``best`` keeps the better score, ``ours`` and ``theirs`` a side, ``fail`` stops.
            require_signed: a file of allowed keys: what none of them signed stays out and is ``refused``.
            progress: told of every object.

        Raises:
            NotFoundError: there is no such remote, no repository there, or no such task on it.
            ConflictError: heads diverged and ``on_conflict`` does not join them; all others moved.
        """
        from mu2net_core.api.sharing.pull import pull

        return pull(
            self.repository,
            self.context,
            remote,
            tasks,
            on_conflict=on_conflict,
            require_signed=require_signed,
            progress=progress,
        )

    def push(
        self,
        remote: str | None = None,
        tasks: Sequence[str] = (),
        *,
        on_conflict: Literal["best", "ours", "theirs", "fail"] = "best",
        progress: Callable[[Progress], None] | None = None,
    ) -> Exchange:
        """Sends our work to a remote; what its readers may not see is skipped and reported.

        Args:
            remote: its name; by default ``origin``, or the only one.
            tasks: only these, and no tags; by default all.
            on_conflict: ``best`` keeps the better score, ``ours`` and ``theirs`` a side, ``fail`` stops.
            progress: told of every object.

        Raises:
            NotFoundError: there is no such remote or task.
            ConflictError: heads diverged and ``on_conflict`` does not join them, or a root or tag differs over there.
            AccessDeniedError: permissions forbid it.
            InvalidInputError: the remote is a folder with other things in it.
            StorageError: the remote cannot be reached, or lets writers overwrite each other.
        """
        from mu2net_core.api.sharing.push import push

        return push(self.repository, self.context, remote, tasks, on_conflict=on_conflict, progress=progress)

    def plan_push(
        self,
        remote: str | None = None,
        tasks: Sequence[str] = (),
        *,
        on_conflict: Literal["best", "ours", "theirs", "fail"] = "best",
    ) -> PushPlan:
        """Returns what ``push`` would send, and changes nothing.

        Args:
            remote: its name; by default ``origin``, or the only one.
            tasks: only these, and no tags; by default all.
            on_conflict: as for ``push``; what it does not join is told as a conflict.

        Raises:
            NotFoundError: there is no such remote or task.
            ConflictError: a root differs over there.
            InvalidInputError: nothing can be sent to that place.
        """
        from mu2net_core.api.sharing.push import plan_push

        return plan_push(self.repository, self.context, remote, tasks, on_conflict=on_conflict)

    def tag(self, name: str, *, public: bool = False) -> TagInfo:
        """Names the system as it is now, for good; signed, if a key is set.

        Args:
            name: of the tag.
            public: name only what everybody may see, so that the tag can go wherever that can.

        Raises:
            AlreadyExistsError: there is a tag of that name for another moment.
            InvalidInputError: the name cannot be one, or is a task's.
            NotFoundError: there is nothing to name yet.
        """
        from mu2net_core.api.sharing.tag import create

        return create(self.repository, self.context, name, public=public)

    def tags(self) -> tuple[TagInfo, ...]:
        """Returns all tags, sorted by name."""
        from mu2net_core.api.sharing.tag import list_

        return list_(self.repository)

    def delete_tag(self, name: str) -> TagInfo:
        """Deletes a tag here; where it was pushed to it stays, and a fetch brings it back.

        Args:
            name: of the tag.

        Raises:
            NotFoundError: there is no such tag.
        """
        from mu2net_core.api.sharing.tag import delete

        return delete(self.repository, name)
