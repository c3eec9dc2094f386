"""What ``--json`` prints is what docs/json.md says, and stays so."""

from __future__ import annotations

import json
import runpy
import typing
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal

import pytest

from mu2net_cli.parsing.group import load_verb
from mu2net_cli.parsing.verbs import VERBS
from mu2net_core.objects.kinds import SHIPPED

ROOT = Path(__file__).parents[2]
MADE = runpy.run_path(str(ROOT / "docs" / "make_json.py"))
OUTPUTS: dict[str, Any] = MADE["OUTPUTS"]
GOLDEN: dict[str, str] = json.loads(MADE["GOLDEN"].read_text())
PLAIN = {str: str, Path: str, int: int, bool: bool, float: int | float, NoneType: NoneType}


def misfits(shape: Any, value: Any, place: str = "") -> Iterator[str]:
    """Yields where a JSON value is not of the shape that is documented."""
    shape = of_kind(shape, value)
    origin, args = typing.get_origin(shape), typing.get_args(shape)
    if origin in {typing.Union, UnionType}:
        fits = any(not any(misfits(kind, value)) for kind in args)
    elif origin is Literal:
        fits = value in args
    elif is_dataclass(shape):
        fits = isinstance(value, dict) and list(value) == list(MADE["hints"](shape))
    elif origin is not None:
        fits = isinstance(value, dict if issubclass(origin, Mapping) else list)
    else:
        fits = shape is Any or (isinstance(value, PLAIN[shape]) and (shape is bool or not isinstance(value, bool)))
    if not fits:
        yield f"{place}: expected {shape}, got {value}"
        return
    for name, kind, one in inside(shape, value):
        yield from misfits(kind, one, f"{place}.{name}")


def of_kind(shape: Any, value: Any) -> Any:
    """Returns the shape of the kind that a value says it is of, where there are several."""
    return SHIPPED[shape][value["kind"]] if shape in SHIPPED else shape


def inside(shape: Any, value: Any) -> Iterator[tuple[str | int, Any, Any]]:
    """Yields what lies in a value, with its name and type."""
    shape = of_kind(shape, value)
    origin, args = typing.get_origin(shape), typing.get_args(shape)
    if is_dataclass(shape):
        yield from ((name, kind, value[name]) for name, kind in MADE["hints"](shape).items())
    elif isinstance(value, dict) and origin is not None and origin not in {typing.Union, UnionType}:
        yield from ((name, args[1], one) for name, one in value.items())
    elif isinstance(value, list) and origin is tuple and args[-1] is not ...:
        yield from ((number, *pair) for number, pair in enumerate(zip(args, value, strict=True)))
    elif isinstance(value, list) and origin is not None and origin not in {typing.Union, UnionType}:
        yield from ((number, args[0], one) for number, one in enumerate(value))


def verbs_with_json() -> Iterator[str]:
    for name in VERBS:
        command = load_verb(name)
        subs = getattr(command, "commands", {})
        for sub in subs.values() or (command,):
            if any("--json" in param.opts for param in sub.params):
                yield f"{name} {sub.name}" if subs else name


def test_the_page_is_current() -> None:
    assert (ROOT / "docs" / "json.md").read_text() == MADE["page"](), "run: python docs/make_json.py"


def test_every_verb_that_prints_json_is_documented() -> None:
    assert set(OUTPUTS) == set(verbs_with_json())
    quiet = {"demo", "help"}
    with_commands = {name for name in VERBS if getattr(load_verb(name), "commands", None)}
    assert set(VERBS) - quiet - with_commands == {name for name in OUTPUTS if " " not in name}


def test_no_field_that_was_ever_documented_is_gone_or_of_another_type() -> None:
    now = MADE["catalogue"]()
    assert set(GOLDEN) == set(now), "run: python docs/make_json.py (--accept, if what others read may break)"
    assert {name: (GOLDEN[name], now[name]) for name in now if breaks(GOLDEN[name], now[name])} == {}


def breaks(before: str, now: str) -> bool:
    """Returns whether who reads the one could fail at the other: words may be added to a choice of words only."""
    old, new = (set(text.split(" or ")) for text in (before, now))
    return bool(old - new) or any(not word.startswith("`") for word in new - old)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("text", "text", False),
        ("`a` or `b`", "`a` or `b` or `c`", False),
        ("`a` or `b`", "`a`", True),
        ("text", "text or null", True),
        ("text", "number", True),
    ],
)
def test_what_is_a_break(before: str, now: str, expected: bool) -> None:
    assert breaks(before, now) is expected


def test_the_check_notices_what_does_not_fit() -> None:
    good = {"key": "a", "value": [1, "x"], "origin": "default"}
    shape = OUTPUTS["config get"]
    assert list(misfits(shape, good)) == []
    for bad in ({**good, "more": 1}, {**good, "origin": "mars"}, {**good, "key": None}, {"key": "a"}, []):
        assert list(misfits(shape, bad)) != []


def test_what_the_verbs_print_is_what_is_documented(run, trained_repo: Path, tmp_path: Path, monkeypatch) -> None:
    """One session in which every verb but the long ones prints JSON."""
    monkeypatch.chdir(trained_repo)
    shared, copy, new = (str(tmp_path / name) for name in ("shared", "copy", "new"))
    seen = set()

    def check(*args: str, inside: str | None = None) -> Any:
        result = run(*(["-C", inside] if inside else []), *args, "--json")
        name = next(verb for verb in (" ".join(args[:2]), args[0]) if verb in OUTPUTS)
        seen.add(name)
        assert result.code in {0, 1, 6}, result.err
        documents = [json.loads(text) for text in (result.out.splitlines() if name == "log" else [result.out])]
        found = [line for document in documents for line in misfits(OUTPUTS[name], document, name)]
        assert found == []
        return documents[0]

    check("init", new, "--preset", "vit-mini")
    for verb in ("status", "tasks", "leaderboard", "contributors", "doctor", "log", "reflog", "tag", "verify"):
        check(verb)
    check("tag", "v1")
    check("tag")
    shown = check("show", "digits")
    for revision in (shown["entry"]["model"], shown["commit"]["task_id"], "v1", shown["model"]["components"][0]["id"]):
        check("show", revision)
    check("ancestry", "digits", "--transfer")
    check("eval", "digits")
    check("predict", "digits", str(image(tmp_path)))
    check("predict", "digits", str(image(tmp_path)), "missing.png")
    check("remote", "add", "origin", shared)
    check("remote", "set", "origin", "--readers", "team")
    check("push", "--dry-run")
    for verb in ("push", "fetch", "pull", "merge", "fsck", "gc"):
        check(verb)
    check("remote", "check")
    check("remote", "list")
    check("clone", shared, copy)
    check("cache", "info", inside=copy)
    check("cache", "prune", "--max-size", "0", inside=copy)
    check("config", "set", "evolve.children", "2")
    check("config", "get", "evolve.children")
    check("config", "unset", "evolve.children")
    check("config", "list")
    check("add-root", "second", "--seed", "2")
    check("reset", "digits", "@{1}", "--dry-run")
    check("add-task", "sklearn:digits/five-or-more", "--private")
    check("status")
    check("rm-task", "digits/five-or-more", "--yes")
    check("rm-task", "digits/five-or-more", "--purge", "--yes")
    check("remote", "remove", "origin")
    assert set(OUTPUTS) - seen == {"evolve", "replay"}


def image(folder: Path) -> Path:
    from PIL import Image

    Image.new("L", (8, 8)).save(folder / "one.png")
    return folder / "one.png"


def test_what_the_long_verbs_print_is_what_is_documented(run, trained_repo: Path, monkeypatch) -> None:
    monkeypatch.chdir(trained_repo)
    small = ("--generations", "1", "--children", "1", "--validations", "1", "--seed", "2")
    evolved = run("evolve", "--task", "digits/parity", *small, "--json")
    assert list(misfits(OUTPUTS["evolve"], evolved.json())) == []
    assert list(misfits(OUTPUTS["replay"], run("replay", "digits/parity", "--json").json())) == []
