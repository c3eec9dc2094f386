"""Writes docs/python.md from the docstrings of ``mu2net_core``: ``python docs/make_python.py``; a test checks it."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args

import mu2net_core as m
from mu2net_core import errors, events
from mu2net_core.errors import Mu2netError
from mu2net_core.objects import described

TARGET = Path(__file__).with_name("python.md")

HEAD = """\
# Python

<!-- Made by docs/make_python.py from the docstrings. Edit those, in mu2net_core/api/facade. -->

Everything the command line does, as functions and methods. `import mu2net_core as m` is quick: nothing heavy is
imported before a verb needs it. All is typed, for mypy and pyright.

What is public is what is on this page: the names in `mu2net_core.__all__`, and what is reached from them by methods and
attributes without an underscore, but for `repo.repository` and `repo.context`, which tests and the command line use.
Packages that add something to mu2net use more: [Extending](extending.md) says what. All else may change at any time.

```python
import mu2net_core as m

repo = m.init("my-system")  # later: m.open("my-system")
repo.add_task("sklearn:digits")
result = repo.evolve(seed=1, on_event=lambda event: print(type(event).__name__))
print(result.iterations[0].test)

measured = repo.evaluate("digits", by_class=True)
print(measured.accuracy, measured.interval)

try:
    repo.push()
except m.NotFoundError as exc:  # there is no remote yet
    print(exc.hint)
```
"""

ERRORS = """
## Errors

Whatever mu2net raises on purpose is a `m.Mu2netError`: catch that to catch all, or the one that you can do something
about. After a `StorageError` the same call may work; after a `ConflictError` look at what others did (`repo.pull()`),
and call again. `str(error)` says what failed and what to do; `error.message` and `error.hint` are its parts,
`error.kind` is a stable name for programs, and `error.exit_code` is what the command line exits with. `NotFoundError`
is a `KeyError`, too, and `InvalidInputError` a `ValueError`. Anything else that comes out is a defect.

| error | kind | exit code | means |
|---|---|---|---|
"""

EVENTS = """
## Events

What `on_event` of `repo.evolve` and `repo.replay` is told, one after the other. They are values: look at their
attributes, or tell them apart with `isinstance` or `match`. The last three are parts of them.
"""

OPTIONS = """
## Options of a task

What `repo.add_task` and `repo.preview_task` are told, in one value:
`repo.add_task("adult.csv", m.TaskOptions(target="income"))`.

"""

RESULTS = """
## Results

What the methods return: values that never change, with the attributes that `--json` prints. [JSON](json.md) and
`help(m.EvalResult)` say what each means. Names are exported for annotations and `isinstance`; values that lie in others
have none, but the same attributes as in JSON.

| result | is | attributes |
|---|---|---|
"""


FUNCTIONS = ("open", "init", "clone", "doctor")
PARTS = ("ChildReport", "Probe", "Schedule", "Spent")
"""What is inside events."""


def page() -> str:
    """Returns the whole page."""
    parts = [HEAD, "\n## Begin\n", *(entry(f"m.{name}", getattr(m, name)) for name in FUNCTIONS)]
    for part in m.Repo.__bases__:
        parts.append(f"\n## {first_line(part).removesuffix('.')}\n")
        parts += [entry(f"repo.{name}", function) for name, function in own_methods(part)]
    parts += [OPTIONS, *options()]
    parts.append("\n## A model\n\n`repo.model(...)` returns one: a `Predictor`.\n")
    parts += [entry(f"model.{name}", function) for name, function in own_methods(m.Predictor)]
    parts += [f"\nIts attributes: {', '.join(f'`{each}`' for each in attributes(m.Predictor))}.\n"]
    parts += [ERRORS, *map(error_row, errors.__all__), EVENTS, *map(event_entry, event_names()), RESULTS]
    parts += [result_row(name) for name in m.__all__ if is_result(name)]
    return "".join(parts)


def options() -> Iterator[str]:
    """Yields what a task's options are, each with what it means."""
    told = described(m.TaskOptions)
    for each in fields(m.TaskOptions):
        default = "" if each.default is MISSING or each.default in {None, ()} else f" = {each.default!r}"
        yield f"- `{each.name}: {each.type}{default}`: {code(told[each.name])}\n"


def event_names() -> list[str]:
    """Returns the events in the order in which they are written, and then what is inside them."""
    kinds = [kind.__name__ for kind in get_args(events.Event)]
    return [events.Happening.__name__, *kinds, *PARTS]


def own_methods(owner: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yields the public methods of a class, in the order in which they are written."""
    for name, value in vars(owner).items():
        if inspect.isfunction(value) and not name.startswith("_"):
            yield name, value


def entry(name: str, function: Callable[..., Any]) -> str:
    """Returns the description of a function or method."""
    text, _, rest = (inspect.getdoc(function) or "").partition("\n\nArgs:\n")
    if not rest:
        text, _, raised = text.partition("\n\nRaises:\n")
    else:
        rest, _, raised = rest.partition("\n\nRaises:\n")
    told = f"\n### {name}\n\n```text\n{usage(name, function)}\n```\n\n{code(text)}\n"
    lists = [("", items(rest)), ("Raises:\n\n", items(raised))]
    return told + "".join(f"\n{title}{lines}" for title, lines in lists if lines)


def usage(name: str, function: Callable[..., Any]) -> str:
    """Returns how a function is called, on one line or on a line per parameter."""
    signature = inspect.signature(function)
    parameters = [one for one in signature.parameters.values() if one.name != "self"]
    shown, stars = [], False
    for one in parameters:
        if one.kind is one.KEYWORD_ONLY and not stars:
            shown.append("*")
            stars = True
        default = "" if one.default is one.empty else " = ..." if callable(one.default) else f" = {default_of(one)}"
        shown.append(f"{one.name}: {one.annotation}{default}")
    line = f"{name}({', '.join(shown)}) -> {signature.return_annotation}"
    if len(line) <= 110:
        return line
    lines = "".join(f"    {one},\n" for one in shown)
    return f"{name}(\n{lines}) -> {signature.return_annotation}"


def default_of(parameter: inspect.Parameter) -> str:
    """Returns a default as it would be written."""
    return repr(parameter.default).replace("datetime.", "").replace("'", '"')


def items(text: str) -> str:
    """Returns the entries of a docstring's section as a list."""
    entries = re.findall(r"^ {4}(\S[^:]*): (.*(?:\n {8}.*)*)", text, re.MULTILINE)
    return "".join(f"- `{name}`: {code(' '.join(told.split()))}\n" for name, told in entries).replace("`, `", "`, `")


def first_line(value: Any) -> str:
    """Returns the first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())


def code(text: str) -> str:
    """Returns a docstring's text as Markdown."""
    return text.replace("``", "`")


def error_row(name: str) -> str:
    """Returns the row of an error."""
    error: type[Mu2netError] = getattr(errors, name)
    return f"| `m.{name}` | `{error.kind}` | {error.exit_code} | {code(first_line(error))} |\n"


def event_entry(name: str) -> str:
    """Returns the description of an event, with its attributes."""
    event = getattr(events, name)
    text = code((inspect.getdoc(event) or "").partition("\n\nAttributes:\n")[0])
    told = described(events.Happening) | (described(event) if isinstance(event, type) else {})
    meanings = ((each, told.get(each.partition(":")[0], "")) for each in attributes(event))
    lines = (f"- `{each}`{': ' * bool(meaning)}{meaning}\n" for each, meaning in meanings)
    return f"\n### m.{name}\n\n{text}\n\n{''.join(lines)}"


def attributes(owner: type) -> Iterator[str]:
    """Yields what can be asked of a value, with its type."""
    own = fields(owner) if is_dataclass(owner) else ()
    yield from (f"{field.name}: {field.type}" for field in own)
    for name, value in vars(owner).items():
        if isinstance(value, property) and not name.startswith("_"):
            yield f"{name}: {inspect.signature(value.fget or attributes).return_annotation}"


def result_row(name: str) -> str:
    """Returns the row of a result."""
    result = getattr(m, name)
    listed = ", ".join(f"`{each}`" for each in attributes(result))
    return f"| `m.{name}` | {cell(code(first_line(result)))} | {cell(listed)} |\n"


def cell(text: str) -> str:
    """Returns text as it may stand in a table."""
    return text.replace("|", "\\|")


def is_result(name: str) -> bool:
    """Returns whether a name is that of a result."""
    return inspect.isclass(getattr(m, name)) and name not in {*errors.__all__, *events.__all__, "Repo", "TaskOptions"}


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(0 if TARGET.read_text() == page() else "docs/python.md is out of date: run python docs/make_python.py")
    TARGET.write_text(page())
