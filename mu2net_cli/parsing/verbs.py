"""Every verb of the command line: its section in ``--help`` and its one-line help.

Kept apart from the commands so that ``mu2net --help`` imports none of them; a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SECTIONS", "VERBS", "Verb"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One command: ``mu2net <name>``, in ``commands/<folder>/<module>.py`` as the function or app ``<module>``."""

    name: str
    section: str
    help: str

    @property
    def module(self) -> str:
        """The command's module, e.g. ``add_task`` for ``add-task``; ``eval`` lies in ``evaluate``."""
        return {"eval": "evaluate", "help": "explain"}.get(self.name, self.name.replace("-", "_"))

    @property
    def path(self) -> str:
        """Where the command's module is, e.g. ``growing.add_task``: each section has its folder."""
        return f"{_FOLDERS[self.section]}.{self.module}"


_TABLE = {
    "Start a system": {
        "init": "Make a new repository.",
        "clone": "Copy a repository from a folder or bucket.",
        "demo": "Run the whole main job on small real data.",
        "help": "Explain a verb, as --help after it does.",
    },
    "Grow it": {
        "add-root": "Add a root model: one more beginning for first models.",
        "add-task": "Add a task: a data set the system shall learn.",
        "rm-task": "Remove a task; its history stays, unless it is purged.",
        "tasks": "List the tasks.",
        "evolve": "Improve tasks by evolution: the main job.",
        "reset": "Go back to an earlier state of a task; nothing is deleted.",
    },
    "Look at it": {
        "status": "Say where everything stands, who works on what, and what to do next.",
        "log": "Show what happened, newest first.",
        "reflog": "List where the heads stood, newest first.",
        "show": "Show one object: a model, task, commit or snapshot.",
        "leaderboard": "Compare the tasks: accuracy, size and cost of their models.",
        "ancestry": "Show where every layer of a model comes from.",
        "contributors": "Say who brought what: gains, time, children, tasks, reuse.",
    },
    "Use its models": {
        "eval": "Measure a model on a split of its task.",
        "replay": "Do an iteration again and say whether the same comes out.",
        "predict": "Ask a model about images, texts or rows.",
    },
    "Share it": {
        "remote": "Add, check, change, list and remove remotes.",
        "fetch": "Learn what a remote has, without changing any head.",
        "pull": "Fetch from a remote and merge into the local heads.",
        "push": "Send local heads, and all they need, to a remote.",
        "merge": "Merge what was fetched into the local heads.",
        "tag": "Name the system as it is now, list the tags, or delete one.",
    },
    "Keep it healthy": {
        "config": "Get and set the settings.",
        "verify": "Check who signed the history of tasks, tags and purges.",
        "fsck": "Check every object, reference and access rule.",
        "gc": "Find what nobody needs any more; with --prune, delete it.",
        "cache": "Say how much could be fetched again, and delete some of it.",
        "doctor": "Report versions, devices and storage.",
    },
}

_FOLDERS = {
    "Start a system": "starting",
    "Grow it": "growing",
    "Look at it": "looking",
    "Use its models": "using",
    "Share it": "sharing",
    "Keep it healthy": "upkeep",
}
SECTIONS: tuple[str, ...] = tuple(_TABLE)
VERBS: dict[str, Verb] = {
    name: Verb(name=name, section=section, help=text)
    for section, verbs in _TABLE.items()
    for name, text in verbs.items()
}
