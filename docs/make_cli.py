"""Writes docs/cli.md from the command line's own code: ``python docs/make_cli.py``; a test checks it is current."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mu2net_cli.group import load_verb
from mu2net_cli.verbs import SECTIONS, VERBS

TARGET = Path(__file__).with_name("cli.md")

HEAD = """\
# The command line

<!-- Made by docs/make_cli.py from the code. Edit the docstrings of mu2net_cli/commands instead. -->

`mu2net` has one verb per job, as git has; `mu2net VERB --help` shows what is below. Anything a verb does, a few lines
of [Python](python.md) do too.

## Conventions

- Run it anywhere inside a repository's folder, or anywhere with `mu2net -C DIR VERB`.
- `REVISION` is a task's name (its newest commit), `TASK@{N}` (the Nth entry before the newest), `TASK~N` (the Nth
  ancestor), a tag, or an id, which may be shortened to any unambiguous prefix.
- Results go to stdout; progress, remarks and errors to stderr.
- On a terminal, lists are tables with titles. In a pipe they are tab-separated columns without titles. `--json` prints
  one JSON document, `log --json` one document per line; ids are never shortened there. `predict --json` prints its
  document as it goes, one item per line.
- `-q` prints results and errors only, `-v` more. `--no-color` or `NO_COLOR=1` turns colours off, `--no-progress` the
  live display. They come before the verb: `mu2net -q evolve --all`.
- An error says what failed and, as a hint, what to do next. `--debug` shows the traceback. With `--json` the error, of
  usage too, is a JSON document on stderr: `{"error": {"kind": ..., "message": ..., "hint": ..., "exit_code": ...}}`.
- A setting comes from an option, else from the environment (`MU2NET_EVOLVE_CHILDREN` for `evolve.children`), else from
  the repository, else from the user's own settings, else from the preset; `mu2net config list --origin` says which.
- Data sets of the TensorFlow Datasets catalogue are looked for where `--data-dir` says, else `MU2NET_DATA_DIR`, else
  `TFDS_DATA_DIR`, else in `~/tensorflow_datasets`.
- `mu2net --install-completion` completes verbs, options, tasks and remotes in your shell.

| exit code | means |
|---|---|
| 0 | fine |
| 1 | failure |
| 2 | wrong usage, or a value that cannot be right |
| 3 | not found |
| 4 | conflict: somebody else moved or holds it, or it exists already |
| 5 | storage, network, access or a damaged object |
| 6 | a data set that cannot be used as it is |
| 130 | interrupted |
"""


def page() -> str:
    """Returns the whole page."""
    parts = [HEAD]
    for section in SECTIONS:
        parts.append(f"\n## {section}\n")
        parts += [f"\n{text}" for verb in VERBS.values() if verb.section == section for text in verb_parts(verb.name)]
    return "".join(parts)


def verb_parts(name: str) -> Iterator[str]:
    """Yields the part of a verb, or one part per command of a group of commands."""
    command = load_verb(name)
    commands: dict[str, Any] = getattr(command, "commands", {})
    if not commands:
        yield part(f"mu2net {name}", command, level=3)
        return
    yield f"### mu2net {name}\n\n{summary(command)}\n"
    for sub in commands.values():
        yield part(f"mu2net {name} {sub.name}", sub, level=4)


def summary(command: Any) -> str:
    """Returns the docstring as Markdown, its example as a code block."""
    text, _, example = inspect.cleandoc(command.help or "").partition("Example: ")
    block = f"\n\n```console\n{example.strip()}\n```" if example else ""
    return text.strip() + block


def part(usage: str, command: Any, *, level: int) -> str:
    """Returns title, text, arguments and options of one command."""
    shown = [param for param in command.params if param.name not in {"help"} and not getattr(param, "hidden", False)]
    arguments = [param for param in shown if param.param_type_name == "argument"]
    options = [param for param in shown if param.param_type_name == "option"]
    line = " ".join([usage, *map(usage_of, arguments), *(["[OPTIONS]"] if options else [])])
    rows = [f"| `{name_of(param)}` | {help_of(param)} |\n" for param in (*arguments, *options)]
    table = "\n| | |\n|---|---|\n" + "".join(rows) if rows else ""
    return f"{'#' * level} {usage}\n\n    {line}\n\n{summary(command)}\n{table}"


def usage_of(argument: Any) -> str:
    """Returns an argument as the usage line shows it."""
    name = argument.metavar or argument.name.upper()
    return name if argument.required else f"[{name}]"


def name_of(param: Any) -> str:
    """Returns an argument's or option's name with what it takes."""
    if param.param_type_name == "argument":
        return usage_of(param)
    names = ", ".join(sorted(param.opts, key=len)) + "".join(f"/{opt}" for opt in param.secondary_opts)
    return names if param.is_flag else f"{names} {param.metavar or 'N'}"


def help_of(param: Any) -> str:
    """Returns the help of an argument or option, with its default where there is one."""
    default = param.default
    shown = isinstance(default, str | int | float) and not isinstance(default, bool)
    return (param.help or "").replace("|", "\\|") + (f" Default: `{default}`." if shown else "")


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(0 if TARGET.read_text() == page() else "docs/cli.md is out of date: run python docs/make_cli.py")
    TARGET.write_text(page())
