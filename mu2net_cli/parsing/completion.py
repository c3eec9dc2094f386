"""Shell completion: what a word at the cursor could become. Whatever goes wrong, nothing is offered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import typer

from mu2net_core.errors import Mu2netError
from mu2net_core.objects import SPLITS

if TYPE_CHECKING:
    from mu2net_core.repo import Repository

__all__ = [
    "complete_any_task",
    "complete_name",
    "complete_own_setting",
    "complete_place",
    "complete_preset",
    "complete_remote",
    "complete_revision",
    "complete_root",
    "complete_settable",
    "complete_setting",
    "complete_split",
    "complete_tag",
    "complete_task",
    "complete_value",
    "complete_verb",
]

_MOST_MOVES = 30


def complete_task(ctx: typer.Context, incomplete: str) -> list[str]:
    """Returns the tasks of the repository here that were not removed."""
    return _complete(ctx, incomplete, _live_tasks)


def complete_any_task(ctx: typer.Context, incomplete: str) -> list[str]:
    """Returns the tasks of the repository here, removed ones too."""
    return _complete(ctx, incomplete, lambda repo: repo.refs.tasks())


def complete_remote(ctx: typer.Context, incomplete: str) -> list[str]:
    """Returns the remotes of the repository here."""
    return _complete(ctx, incomplete, lambda repo: repo.config.remotes)


def complete_name(ctx: typer.Context, incomplete: str) -> list[str]:
    """Returns the tasks of the repository here that are not named yet; for the first name, the remotes too."""
    named = ctx.params.get("names") or ()
    remotes = [] if named else complete_remote(ctx, incomplete)
    return [*remotes, *(task for task in complete_task(ctx, incomplete) if task not in named)]


def complete_tag(ctx: typer.Context, incomplete: str) -> list[str]:
    """Returns the tags of the repository here."""
    return _complete(ctx, incomplete, lambda repo: repo.refs.tags())


def complete_revision(ctx: typer.Context, incomplete: str) -> list[str]:
    """Returns tasks and tags, and after a task and ``@`` where its head stood."""
    task, at, _ = incomplete.partition("@")
    if at:
        return _complete(ctx, incomplete, lambda repo: (task + place for place in _places(repo, task)))
    return _complete(ctx, incomplete, lambda repo: (*_live_tasks(repo), *repo.refs.tags()))


def complete_place(ctx: typer.Context, incomplete: str) -> list[str]:
    """Returns where the head of the task named before stood, as ``@{1}``, and the tags."""
    task = str(ctx.params.get("task"))
    return _complete(ctx, incomplete, lambda repo: (*_places(repo, task), *repo.refs.tags()))


def complete_split(incomplete: str) -> list[str]:
    """Returns the splits that a task has."""
    return _starting(SPLITS, incomplete)


def complete_setting(ctx: typer.Context, incomplete: str) -> list[str]:
    """Returns the settings that have a value."""
    from mu2net_cli.session import session_of
    from mu2net_core.api.setup.config import list_

    return _complete(ctx, incomplete, lambda repo: [found.key for found in list_(repo, session_of(ctx).context)])


def complete_settable(ctx: typer.Context, incomplete: str) -> list[str]:
    """Returns the settings that can be set."""
    from mu2net_core.api.setup.config import settable

    return _complete(ctx, incomplete, settable)


def complete_own_setting(ctx: typer.Context, incomplete: str) -> list[str]:
    """Returns the settings that the repository here sets."""
    return _complete(ctx, incomplete, lambda repo: sorted(repo.config.settings))


def complete_value(ctx: typer.Context, incomplete: str) -> list[str]:
    """Returns the values that the setting named before can have, where they are few."""
    from mu2net_core.api.setup.config import choices

    return _starting(choices(str(ctx.params.get("key"))), incomplete)


def complete_preset(ctx: typer.Context, incomplete: str) -> list[str]:
    """Returns the presets, the user's own among them."""
    from mu2net_cli.session import session_of
    from mu2net_core.api.settings.presets import preset_names

    try:
        return _starting(preset_names(session_of(ctx).context), incomplete)
    except Mu2netError:
        return []


def complete_root(incomplete: str) -> list[str]:
    """Returns the roots that have a name."""
    from mu2net_core.api.models.checkpoints import CHECKPOINTS

    return _starting(("random", *CHECKPOINTS), incomplete)


def complete_verb(ctx: typer.Context, incomplete: str) -> list[str]:
    """Returns the verbs, or the commands of the verb named before."""
    from mu2net_cli.parsing.group import load_verb
    from mu2net_cli.parsing.verbs import VERBS

    before = ctx.params.get("verb") or ()
    if not before:
        return _starting(VERBS, incomplete)
    return _starting(getattr(load_verb(before[0]), "commands", ()), incomplete) if before[0] in VERBS else []


def _complete(ctx: typer.Context, incomplete: str, names_fn: Callable[[Repository], Iterable[str]]) -> list[str]:
    from mu2net_cli.session import session_of

    try:
        return _starting(names_fn(session_of(ctx).repo()), incomplete)
    except Mu2netError:
        return []


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _live_tasks(repo: Repository) -> list[str]:
    heads = repo.refs.heads().items()
    return [task for task, state in heads if not repo.objects.commit(state.commit).removed]


def _places(repo: Repository, task: str) -> list[str]:
    head = repo.refs.head(task)
    return [f"@{{{moves}}}" for moves in range(min(head.number, _MOST_MOVES))] if head is not None else []
