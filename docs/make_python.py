"""Writes docs/python.md from the docstrings of ``mu2net_core``: ``python docs/make_python.py``; a test checks it."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mu2net_core as m
from mu2net_core import errors, events
from mu2net_core.errors import Mu2netError

TARGET = Path(__file__).with_name("python.md")

HEAD = """\
# Python

<!-- Made by docs/make_python.py from the docstrings. Edit those, in mu2net_core/api/facade. -->

Everything the command line does, as functions and methods. `import mu2net_core as m` is quick: nothing heavy is
imported before a verb needs it. All is typed, for mypy and pyright.

```python
import mu2net_core as m

repo = m.init("my-system", preset="vit-mini")  # later: m.open("my-system")
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
attributes, or tell them apart with `isinstance`.

| event | says |
|---|---|
"""

RESULTS = """
## Results

What the methods return: values that never change, with the attributes that `--json` prints. `help(m.EvalResult)`
describes them. Names are exported for annotations and `isinstance`.

| result | is |
|---|---|
"""


def page() -> str:
    """Returns the whole page."""
    parts = [HEAD, "\n## Begin\n", *(entry(f"m.{name}", getattr(m, name)) for name in ("open", "init", "clone"))]
    for part in m.Repo.__bases__:
        parts.append(f"\n## {first_line(part).removesuffix('.')}\n")
        parts += [entry(f"repo.{name}", function) for name, function in own_methods(part)]
    parts.append("\n## A model\n\n`repo.model(...)` returns one: a `Predictor`.\n")
    parts += [entry(f"model.{name}", function) for name, function in own_methods(m.Predictor)]
    parts += [ERRORS, *map(error_row, errors.__all__), EVENTS, *map(event_row, events.__all__), RESULTS]
    parts += [row(name, first_line(getattr(m, name))) for name in m.__all__ if is_result(name)]
    return "".join(parts)


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
    if value is events.Event:
        return "Any of these."
    return " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())


def code(text: str) -> str:
    """Returns a docstring's text as Markdown."""
    return text.replace("``", "`")


def error_row(name: str) -> str:
    """Returns the row of an error."""
    error: type[Mu2netError] = getattr(errors, name)
    return f"| `m.{name}` | `{error.kind}` | {error.exit_code} | {code(first_line(error))} |\n"


def event_row(name: str) -> str:
    """Returns the row of an event."""
    return row(name, first_line(getattr(events, name)))


def row(name: str, told: str) -> str:
    """Returns the row of a name."""
    return f"| `m.{name}` | {code(told).replace('|', chr(92) + '|')} |\n"


def is_result(name: str) -> bool:
    """Returns whether a name is that of a result."""
    return inspect.isclass(getattr(m, name)) and name not in {*errors.__all__, *events.__all__, "Repo"}


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(0 if TARGET.read_text() == page() else "docs/python.md is out of date: run python docs/make_python.py")
    TARGET.write_text(page())
