"""The command line and Python offer the same: whatever the one can be told, the other can be told too."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

import mu2net_core as m
from mu2net_cli.parsing.group import load_verb
from mu2net_cli.parsing.manual import shown_params
from mu2net_cli.parsing.verbs import VERBS

FUNCTIONS = ("clone", "doctor", "init", "open")
"""What Python offers beside the methods of ``m.Repo``."""

METHODS = {
    "cache info": ("cache",),
    "cache prune": ("prune_cache",),
    "add-task": ("add_task", "preview_task"),
    "config get": ("config",),
    "config list": ("settings",),
    "config set": ("set_config",),
    "config unset": ("unset_config",),
    "eval": ("evaluate",),
    "evolve": ("evolve", "plan_evolve"),
    "predict": ("predict", "model"),
    "push": ("push", "plan_push"),
    "remote add": ("add_remote",),
    "remote check": ("check_remotes",),
    "remote list": ("remotes",),
    "remote remove": ("remove_remote",),
    "remote set": ("set_remote",),
    "rm-task": ("remove_task", "purge", "undo_purge"),
    "tag": ("tag", "tags", "delete_tag"),
}
"""What verbs are called in Python that are not called there as on the command line."""

REACHING = dict.fromkeys(("endpoint", "region", "profile", "anonymous", "account", "project"), "options")
NAMES = {"names": "remote tasks"}
RENAMED: dict[str, dict[str, str]] = {
    "add-task": {"dataset": "uri", "kind": "kinds", "no_quotes": "quotes"},
    "clone": REACHING,
    "evolve": {"task": "tasks", "every": "tasks", "budget": "budget_s"},
    "fetch": NAMES,
    "gc": {"prune": "dry_run"},
    "merge": NAMES,
    "pull": NAMES,
    "push": NAMES,
    "remote add": {**REACHING, "no_check": "check"},
    "remote set": {**REACHING, "everybody": "readers"},
}
"""Parameters of Python that stand for options of another name."""

CHOOSING = {
    "add-task": {"preview"},
    "evolve": {"dry_run"},
    "rm-task": {"purge", "undo"},
    "push": {"dry_run"},
    "tag": {"delete"},
}
"""Options that choose among several methods."""

FOR_A_TERMINAL = {
    "demo": "shows commands to somebody who reads along",
    "help": "Python has its own",
    "* --json": "prints what methods return",
    "* --yes": "asks somebody",
    "ancestry --format": "says how it is drawn",
    "ancestry --transfer": "says what of it is drawn",
    "config list --origin": "says what of it is drawn",
    "contributors --by-task": "says what of it is drawn",
    "contributors --sort": "sorted() does it",
    "contributors --wide": "says what of it is drawn",
    "evolve --agent": "tells other programs in JSON what on_event is told",
    "evolve --agents": "starts processes of the command line",
    "evolve --agent-resources": "says what of a cluster --agents need",
    "evolve --events": "on_event is told the same",
    "evolve --executor": "says where --agents run",
    "evolve --profile": "jax.profiler.trace does it",
    "evolve --ray-address": "says where --agents run",
    "leaderboard --wide": "says what of it is drawn",
    "log --oneline": "says how it is drawn",
    "predict --paths-from": "reads names from a pipe",
    "status --watch": "a loop does it",
    "tasks --wide": "says what of it is drawn",
    "verify --all": "says the default",
}
"""What only people at a terminal need, and why."""

FOR_PROGRAMS = {
    "open": "the command line looks around itself, or where -C says",
    "*.progress": "the command line draws it",
    "*.on_event": "the command line draws them",
    "evolve.stop": "the command line heeds signals",
    "evolve.on_push": "the command line prints them",
    "add_task.on_choice": "the command line prints it",
    "add_task.on_skipped": "the command line prints them",
}
"""What only programs need, and why."""

OTHER_DEFAULTS = {
    "init DIR": "somebody at a terminal is in a folder already",
    "gc --grace": "is text on a terminal, and a timedelta in Python",
}
"""What means something else when it is left out, or looks otherwise, and why."""


def verbs() -> Iterator[tuple[str, Any]]:
    """Yields every command that does something, with the words that call it."""
    for name in VERBS:
        command = load_verb(name)
        below: dict[str, Any] = getattr(command, "commands", {})
        yield from ((f"{name} {word}", one) for word, one in below.items()) if below else [(name, command)]


COMMANDS = {words: command for words, command in verbs() if words not in FOR_A_TERMINAL}


def methods_of(words: str) -> tuple[str, ...]:
    return METHODS.get(words, (words.replace("-", "_"),))


def parameters_of(name: str) -> dict[str, inspect.Parameter]:
    """Returns what a function or method of Python takes, each of several options in one value by itself."""
    function = getattr(m.Repo, name, None) or getattr(m, name)
    taken = {key: one for key, one in inspect.signature(function).parameters.items() if key != "self"}
    if str(getattr(taken.get("options"), "annotation", "")).startswith("TaskOptions"):
        del taken["options"]
        taken |= inspect.signature(m.TaskOptions).parameters
    return taken


def as_written(words: str, param: Any) -> str:
    return f"{words} {param.metavar if param.param_type_name == 'argument' else max(param.opts, key=len)}"


def told(words: str) -> dict[str, Any]:
    """Returns what a command can be told that is not for a terminal alone, by name."""
    params = [*shown_params(COMMANDS[words])[0], *shown_params(COMMANDS[words])[1]]
    left_out = {*FOR_A_TERMINAL, *(f"{words} {one[2:]}" for one in FOR_A_TERMINAL if one[0] == "*")}
    here = {one.name: one for one in params if as_written(words, one) not in left_out}
    return {name: one for name, one in here.items() if name not in CHOOSING.get(words, set())}


def meant(words: str, name: str) -> list[str]:
    """Returns the parameters of Python behind one of the command line."""
    return RENAMED.get(words, {}).get(name, name).split()


def test_every_verb_is_a_function_or_a_method() -> None:
    missing = [(words, name) for words in COMMANDS for name in methods_of(words) if not hasattr(m.Repo, name)]
    assert [(words, name) for words, name in missing if name not in FUNCTIONS] == []


def test_every_function_and_method_is_a_verb() -> None:
    offered = {*FUNCTIONS, *(name for name, _ in inspect.getmembers(m.Repo, inspect.isfunction) if name[0] != "_")}
    assert sorted(offered - {name for words in COMMANDS for name in methods_of(words)} - set(FOR_PROGRAMS)) == []


@pytest.mark.parametrize("words", COMMANDS)
def test_what_a_verb_can_be_told_python_can_be_told_too(words: str) -> None:
    known = {key for name in methods_of(words) for key in parameters_of(name)}
    assert [name for name in told(words) if not set(meant(words, name)) <= known] == []


@pytest.mark.parametrize("words", COMMANDS)
def test_what_python_can_be_told_a_verb_can_be_told_too(words: str) -> None:
    known = {each for name in told(words) for each in meant(words, name)}
    offered = [(name, key) for name in methods_of(words) for key in parameters_of(name)]
    lacking = [f"{name}.{key}" for name, key in offered if key not in known and f"*.{key}" not in FOR_PROGRAMS]
    assert [one for one in lacking if one not in FOR_PROGRAMS] == []


@pytest.mark.parametrize("words", COMMANDS)
def test_what_is_left_out_means_the_same_in_both(words: str) -> None:
    absent = (None, "", (), inspect.Parameter.empty)
    for name, param in told(words).items():
        if as_written(words, param) in OTHER_DEFAULTS or meant(words, name) != [name]:
            continue
        for method in methods_of(words):
            if name in parameters_of(method):
                there, here = parameters_of(method)[name].default, param.default
                assert (there in absent and here in absent) or there == here, as_written(words, param)


def test_the_exceptions_are_still_needed() -> None:
    written = {as_written(words, one) for words, command in COMMANDS.items() for one in command.params}
    assert {one for one in (*FOR_A_TERMINAL, *OTHER_DEFAULTS) if " " in one and one[0] != "*"} <= written
    assert set(METHODS) <= set(COMMANDS)
    for words, names in RENAMED.items():
        assert set(names) <= {one.name for one in COMMANDS[words].params}
    for method, _, name in (one.partition(".") for one in FOR_PROGRAMS):
        assert method == "*" or not name or name in parameters_of(method)
