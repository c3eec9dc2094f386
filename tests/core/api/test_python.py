"""The Python face: what it offers, what type checkers and completion see of it, what its pages say."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest

import mu2net_core as m
from mu2net_core import events
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.tasks.options import TaskOptions

NOT_OFFERED = {
    "gc": {"settle"},
    "evolve": {"slot", "agents", "goals"},
    "plan_evolve": {  # which change nothing of what it tells
        *("slot", "agents", "goals", "seed", "budget_s", "until", "watch", "method", "scorer", "push"),
        *("barrier", "leases"),
    },
}
"""Parameters of the api that are for tests, the command line, and agents that share a working copy."""


def methods() -> Iterator[tuple[str, Callable[..., object]]]:
    for name, method in inspect.getmembers(m.Repo, inspect.isfunction):
        if not name.startswith("_"):
            yield name, method


def offered() -> list[tuple[str, Callable[..., object]]]:
    """Returns every public function and method with its name."""
    return [*methods(), *((name, getattr(m, name)) for name in ("clone", "doctor", "init", "open"))]


def called(function: Callable[..., object]) -> Callable[..., object] | None:
    """Returns the function of the api that a method calls; None if it calls none."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    homes = {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    names = [node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    found = [homes[name] for name in names if name in homes and not name.endswith("Options")]
    return getattr(import_module(found[0][0]), found[0][1]) if found else None


def arguments(function: Callable[..., object]) -> dict[str, object]:
    """Returns the parameters that a caller gives, with their defaults."""
    parameters = inspect.signature(function).parameters
    return {name: one.default for name, one in parameters.items() if name not in {"self", "repo", "context"}}


def spread(wanted: dict[str, object], name: str, options: type) -> dict[str, object]:
    """Returns parameters with the fields of one of them in its place."""
    own = {field.name: field.default for field in fields(options)}
    return {key: value for each in wanted for key, value in (own if each == name else {each: wanted[each]}).items()}


def plain(value: object) -> object:
    """Returns a default so that equal ones compare as equal."""
    return value.__code__.co_code if inspect.isfunction(value) else value


def described(function: Callable[..., object]) -> list[str]:
    """Returns the parameters that the docstring tells about."""
    text = (inspect.getdoc(function) or "").partition("Args:")[2].partition("Raises:")[0]
    return re.findall(r"^ {4}(\w+): ", text, re.MULTILINE)


@pytest.mark.parametrize(("name", "function"), offered(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_method_takes_what_the_api_takes_and_describes_it(name: str, function: Callable[..., object]) -> None:
    given = arguments(function)
    api = called(function)
    if api is not None and name != "open":
        if inspect.isclass(api):
            api = api.__init__
        wanted = {key: value for key, value in arguments(api).items() if key not in NOT_OFFERED.get(name, set())}
        renamed = {"set_config": {"text": "value"}, "purge": {"settle": "now"}}.get(name, {})
        wanted = {renamed.get(key, key): value for key, value in wanted.items()}
        if "options" in wanted and "options" not in given:
            wanted = spread(wanted, "options", EvolveOptions)
            wanted = {key: value for key, value in wanted.items() if key not in NOT_OFFERED[name]}
        assert list(given) == list(wanted), "other parameters, or in another order"
        if wanted.get("options") == TaskOptions() and given["options"] is None:  # nothing is said, nothing imported
            given["options"] = TaskOptions()
        optional = {"tasks"} if name in {"evolve", "plan_evolve"} else {"folder"} if name == "clone" else {"now"}
        same = [key for key in given if key not in optional]
        assert [plain(given[key]) for key in same] == [plain(wanted[key]) for key in same]
    assert described(function) == list(given)


def test_the_page_tells_of_everything_that_is_public() -> None:
    page = (Path(__file__).parents[3] / "docs" / "python.md").read_text()
    classes = [getattr(m, name) for name in m.__all__ if inspect.isclass(getattr(m, name))]
    values = [one for one in classes if is_dataclass(one)]
    wanted = [*(f"m.{name}" for name in m.__all__ if name not in {"Repo", "Event", "__version__"})]
    wanted += [f"### repo.{name}\n" for name, _ in methods()]
    wanted += [
        f"### model.{name}\n" for name, _ in inspect.getmembers(m.Predictor, inspect.isfunction) if name[0] != "_"
    ]
    wanted += [f"`{field.name}: " for one in values for field in fields(one)]
    assert [one for one in wanted if one not in page] == []


def test_whatever_happens_has_a_name_that_is_public() -> None:
    happened = {event.__name__ for event in get_args(events.Event)}
    assert happened <= set(m.__all__)


def test_what_it_returns_can_be_named() -> None:
    hints = " ".join(str(inspect.signature(function).return_annotation) for _, function in offered())
    results = set(re.findall(r"\b[A-Z]\w+", hints)) - {"Iterator", "None"}
    assert results <= set(m.__all__)


def test_every_exported_name_is_found_and_completed() -> None:
    assert list(m.__all__) == sorted(m.__all__)
    assert set(m.__all__) <= set(dir(m))
    assert [name for name in dir(m) if not name.startswith("__")] == [n for n in m.__all__ if not n.startswith("__")]
    assert all(getattr(m, name) is not None for name in m.__all__)
    with pytest.raises(AttributeError, match="No mu2net_core attribute nonsense"):
        m.nonsense  # type: ignore[attr-defined]  # noqa: B018


def test_every_error_and_event_is_exported() -> None:
    from mu2net_core import errors, events

    assert {*errors.__all__, *events.__all__} <= set(m.__all__)


def test_the_help_shows_no_code_as_a_default() -> None:
    names = [name for name in dir(m.Repo) if not name.startswith("_")]
    methods = [method for name in names if callable(method := getattr(m.Repo, name))]
    assert methods
    assert not [method for method in methods if "<lambda>" in str(inspect.signature(method))]
