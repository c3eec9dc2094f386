"""Writes docs/cli.md from the command line's own code: ``python docs/make_cli.py``; a test checks it is current."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from mu2net_cli.parsing.group import load_verb
from mu2net_cli.parsing.manual import described_name, described_use, shown_params, usage_name
from mu2net_cli.parsing.verbs import SECTIONS, VERBS

TARGET = Path(__file__).with_name("cli.md")

HEAD = """\
# The command line

<!-- Made by docs/make_cli.py from the code. Edit the docstrings of mu2net_cli/commands instead. -->

`mu2net` has one verb per job, as git has; `mu2net help VERB` shows what is below. Anything a verb does, a few lines
of [Python](python.md) do too.

## Conventions

- Run it anywhere inside a repository's folder, or anywhere with `mu2net -C DIR VERB`.
- `REVISION` is a task's name (its newest commit), `TASK@{N}` (the Nth entry before the newest), `TASK~N` (the Nth
  ancestor), a tag, or an id, which may be shortened to any unambiguous prefix.
- Results go to stdout; progress, remarks and errors to stderr.
- On a terminal, lists are tables with titles, and lines end at words. In a pipe a list is tab-separated columns, always
  in the order that is said below, with titles if `--header` is given; nothing is wrapped there.
- `--json` prints one JSON document, `log --json` and `status --watch --json` one per line; ids are never shortened
  there. [JSON](json.md) says what the fields are. `predict --json` prints its document as it goes, one item per line.
- `-q` prints results and errors only, `-v` more. `--no-color` or `NO_COLOR=1` turns colours off, `--no-progress` the
  live display. These, `-C`, `--header` (`add-task` has its own) and `--debug` may stand before the verb or after it:
  `mu2net evolve --all -q`.
- An error says what failed and, as a hint, what to do next. `--debug` shows the traceback. With `--json` the error, of
  usage too, is a JSON document on stderr: `{"error": {"kind": ..., "message": ..., "hint": ..., "exit_code": ...}}`.
- A setting comes from an option, else from the environment (`MU2NET_EVOLVE_CHILDREN` for `evolve.children`), else from
  the repository, else from the user's own settings, else from the preset; `mu2net config list --origin` says which, and
  [Settings](settings.md) lists all.
- Data sets of the TensorFlow Datasets catalogue are looked for where `--data-dir` says, else `MU2NET_DATA_DIR`, else
  `TFDS_DATA_DIR`, else in `~/tensorflow_datasets`.
- `mu2net --install-completion` completes verbs, options, tasks, revisions, splits, remotes, tags, presets, roots and
  settings in your shell. Bash completes what follows an `@` if `COMP_WORDBREAKS=${COMP_WORDBREAKS//@/}` is in
  `~/.bashrc`.

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
    columns = columns_of(name)
    if not commands:
        yield part(f"mu2net {name}", command, level=3) + columns
        return
    yield f"### mu2net {name}\n\n{summary(command)}\n"
    for sub in commands.values():
        yield part(f"mu2net {name} {sub.name}", sub, level=4) + (columns if sub.name == "list" else "")


def columns_of(name: str) -> str:
    """Returns which columns a verb, or the command ``list`` of it, prints in a pipe; the empty string for no table."""
    module = import_module(f"mu2net_cli.commands.{VERBS[name].path}")
    titles = [column.title for column in getattr(module, "_COLUMNS", ())]
    return f"\nColumns in a pipe: {', '.join(titles)}.\n" if titles else ""


def summary(command: Any) -> str:
    """Returns the docstring as Markdown, its examples as a code block."""
    text, *examples = inspect.cleandoc(command.help or "").split("Example: ")
    lines = "\n".join(example.strip() for example in examples)
    block = f"\n\n```console\n{lines}\n```" if lines else ""
    return text.strip() + block


def part(usage: str, command: Any, *, level: int) -> str:
    """Returns title, text, arguments and options of one command."""
    arguments, options = shown_params(command)
    line = " ".join([usage, *map(usage_name, arguments), *(["[OPTIONS]"] if options else [])])
    rows = [f"| `{described_name(param)}` | {use_of(param)} |\n" for param in (*arguments, *options)]
    table = "\n| | |\n|---|---|\n" + "".join(rows) if rows else ""
    return f"{'#' * level} {usage}\n\n    {line}\n\n{summary(command)}\n{table}"


def use_of(param: Any) -> str:
    """Returns what an argument or option is for, as a cell of a table."""
    return described_use(param, default=" Default: `{}`.").replace("|", "\\|")


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(0 if TARGET.read_text() == page() else "docs/cli.md is out of date: run python docs/make_cli.py")
    TARGET.write_text(page())
