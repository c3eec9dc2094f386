"""What becomes of an iteration that was interrupted: all that decides whether it can go on, in one place.

    none ──begin──> running ──last generation──> finished ──publish──> published ──clear──> none
                       │                             │
                       └────── interrupted ──────────┴──> ready (it goes on) | other | stuck (refused)

The state is saved after every generation, and cleared after the head moved. Whoever dies in between leaves a state
that is *published* already; that is told by the head's history, and it is only cleared. Anything else is cleared only
for somebody who asks for that: an iteration goes on as it began, whatever the settings are now, or is refused.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mu2net_core.api.context import Context
from mu2net_core.api.iterations.leftover import is_published, why_stuck
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.iterations.recorded import changed_settings, digest_of, recorded_preset
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.engine import IterationState
from mu2net_core.errors import ConflictError, CorruptObjectError, InvalidInputError, NotFoundError
from mu2net_core.objects import Head
from mu2net_core.presets import Preset
from mu2net_core.repo import Repository

__all__ = ["Leftover", "look", "refuse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """What an earlier process left of an iteration.

    Attributes:
        kind: ``none``; ``ready``: it goes on; ``published``: only its remains are there; ``other``: something else is
            asked for than it began with; ``stuck``: it can never go on.
        state: where it stands; None if there is none, or it is damaged.
        preset: with the settings it goes on under, if it is ready.
        reason: why it does not go on, in words.
    """

    kind: Literal["none", "ready", "published", "other", "stuck"]
    state: IterationState | None = None
    preset: Preset | None = None
    reason: str | None = None

    @property
    def is_refused(self) -> bool:
        """Whether nothing happens to it unless the user asks for that."""
        return self.kind in {"other", "stuck"}


def look(repo: Repository, workspace: Workspace, head: Head, asked: EvolveOptions) -> Leftover:
    """Returns what is left of an iteration of a task, and whether it can go on; changes nothing.

    More generations than it began with can be asked for: each of them depends on those before it alone.

    Args:
        repo: the repository.
        workspace: of the task.
        head: of the task, now.
        asked: of the iteration to run now.
    """
    try:
        state = workspace.load()
    except CorruptObjectError as exc:
        return Leftover(kind="stuck", reason=exc.message)
    if state is None:
        return Leftover(kind="none")
    if is_published(repo, state):
        return Leftover(kind="published", state=state)
    stuck = why_stuck(repo, state, head.commit_id, head.commit.task_id)
    return _as_asked(state, asked) if stuck is None else Leftover(kind="stuck", state=state, reason=stuck)


def _as_asked(state: IterationState, asked: EvolveOptions) -> Leftover:
    """Returns whether a state goes on under the settings it began with, and as asked."""
    try:
        preset = recorded_preset(state.preset, state.changed)
    except (NotFoundError, InvalidInputError) as exc:
        return Leftover(kind="stuck", state=state, reason=f"this version of mu2net lacks its settings: {exc.message}")
    if digest_of(preset) != state.settings:
        return Leftover(kind="stuck", state=state, reason="this version of mu2net has another preset of that name")
    reason = _difference(state, preset, asked)
    return _grown(state, preset, asked) if reason is None else Leftover(kind="other", state=state, reason=reason)


def refuse(context: Context, lefts: Mapping[str, Leftover], asked: EvolveOptions) -> None:
    """Raises if unfinished iterations, by task, cannot go on as asked; says how to go on, and how to drop them.

    Raises:
        ConflictError: there is one.
    """
    bad = {task: left for task, left in lefts.items() if left.is_refused}
    if not bad:
        return
    others = [task for task, left in bad.items() if left.kind == "other"]
    agents = "" if asked.agents is None else f" --agents {asked.agents}"
    drop = f"{_command(context, tuple(bad))}{agents} --restart{asked.words}"
    go_on = f"To go on with what it began with: {_command(context, others)}{agents}. " if others else ""
    raise ConflictError(
        " ".join(_refusal(task, left) for task, left in bad.items()) + " Nothing was changed.",
        hint=f"{go_on}To drop what it trained and begin anew: {drop}",
    )


def _refusal(task: str, left: Leftover) -> str:
    why = "began otherwise" if left.kind == "other" else "cannot go on"
    what = f"The unfinished iteration of {task}"
    if left.state is not None:
        state = left.state
        what = f"The unfinished iteration {state.iteration} of {task} ({state.generation} of {state.generations} "
        what += "generations done)"
    return f"{what} {why}: {(left.reason or '').rstrip('.')}."


def _command(context: Context, tasks: Sequence[str]) -> str:
    return f"{context.program} evolve{''.join(f' --task {shlex.quote(task)}' for task in tasks)}"


def _difference(state: IterationState, preset: Preset, asked: EvolveOptions) -> str | None:
    """Returns what was asked for otherwise when ``state`` began, in words; None if it can go on."""
    began = {
        "seed": state.seed,
        "children": state.children,
        "validations": preset.training.validations,
        "method": preset.training.method,
        "scorer": preset.scorer.name,
        "preset": state.preset,
    }
    changed = [
        f"{what} {was} then, {now} now"
        for what, was in began.items()
        if (now := getattr(asked, what)) is not None and now != was
    ]
    for name, now in (asked.space or {}).items():
        if set(was := preset.space.values.get(name, ())) != set(now):
            changed.append(f"{name} {list(was)} then, {sorted(now)} now")
    if asked.generations is not None and asked.generations < state.generations:
        changed.insert(0, f"generations {state.generations} then, {asked.generations} now")
    return "; ".join(changed) or None


def _grown(state: IterationState, preset: Preset, asked: EvolveOptions) -> Leftover:
    """Returns what goes on: with more generations, if they are asked for, as if it had begun with them."""
    if asked.generations is None or asked.generations == state.generations:
        return Leftover(kind="ready", state=state, preset=preset)
    preset = replace(preset, training=replace(preset.training, generations=asked.generations))
    state = replace(state, generations=asked.generations, changed=changed_settings(preset), settings=digest_of(preset))
    return Leftover(kind="ready", state=state, preset=preset)
