"""Writes docs/json.md from the code: what ``--json`` prints. ``python docs/make_json.py``; a test checks it is current.

tests/golden/json.json keeps every field that was ever documented, with its type. A field that is new is added to it;
one that is gone or has another type is a break for those who read it: the test fails until ``--accept`` is given.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from mu2net_cli.commands.using.predict import UnusableExample
from mu2net_core.api.credits.contributors import ContributorsReport
from mu2net_core.api.evolving.evolve import EvolveResult
from mu2net_core.api.evolving.replay import ReplayReport
from mu2net_core.api.looking.ancestry import Ancestry
from mu2net_core.api.looking.leaderboard import Leaderboard
from mu2net_core.api.looking.log import LogEntry
from mu2net_core.api.looking.reflog import ReflogEntry
from mu2net_core.api.looking.show import Shown
from mu2net_core.api.looking.status import StatusReport
from mu2net_core.api.looking.tasks import TaskInfo
from mu2net_core.api.models.add_root import RootResult
from mu2net_core.api.models.cache import CacheReport, PruneReport
from mu2net_core.api.models.evaluate import EvalResult
from mu2net_core.api.models.predict import Prediction
from mu2net_core.api.pool.pool import PoolResult
from mu2net_core.api.setup.config import DescribedSetting
from mu2net_core.api.setup.doctor import DoctorReport
from mu2net_core.api.setup.init import InitResult
from mu2net_core.api.sharing.check_remote import RemoteCheck
from mu2net_core.api.sharing.clone import CloneResult
from mu2net_core.api.sharing.purge import PurgeReport
from mu2net_core.api.sharing.remote import RemoteInfo
from mu2net_core.api.sharing.tag import TagInfo
from mu2net_core.api.signing.verify import VerifyReport
from mu2net_core.api.tasks.previewed import Preview
from mu2net_core.api.tasks.reset import ResetResult
from mu2net_core.api.upkeep.fsck import FsckReport
from mu2net_core.api.upkeep.gc import GcReport
from mu2net_core.objects import Head, described
from mu2net_core.objects.kinds import SHIPPED
from mu2net_core.repo import Setting
from mu2net_core.repo.remotes import Exchange, PushPlan

TARGET = Path(__file__).with_name("json.md")
GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "json.json"

OUTPUTS: dict[str, Any] = {
    "init": InitResult,
    "clone": CloneResult,
    "add-root": RootResult,
    "add-task": Head | Preview,
    "rm-task": Head | PurgeReport,
    "tasks": tuple[TaskInfo, ...],
    "evolve": EvolveResult | PoolResult,
    "reset": ResetResult,
    "status": StatusReport,
    "log": LogEntry,
    "reflog": tuple[ReflogEntry, ...],
    "show": Shown,
    "leaderboard": Leaderboard,
    "ancestry": Ancestry,
    "contributors": ContributorsReport,
    "eval": EvalResult,
    "replay": ReplayReport,
    "predict": tuple[Prediction | UnusableExample, ...],
    "remote add": RemoteInfo,
    "remote set": RemoteInfo,
    "remote check": tuple[RemoteCheck, ...],
    "remote list": tuple[RemoteInfo, ...],
    "remote remove": RemoteInfo,
    "fetch": Exchange,
    "pull": Exchange,
    "push": Exchange | PushPlan,
    "merge": Exchange,
    "tag": TagInfo | tuple[TagInfo, ...],
    "config get": Setting,
    "config set": Setting,
    "config unset": Setting | None,
    "config list": tuple[DescribedSetting, ...],
    "verify": VerifyReport,
    "fsck": FsckReport,
    "gc": GcReport,
    "cache info": CacheReport,
    "cache prune": PruneReport,
    "doctor": DoctorReport,
}
"""What each verb prints with ``--json``."""

REMARKS = {
    "rm-task": "with `--purge` the second",
    "evolve": "with `--agents` the second; with `--agent` a line per event, and at last the first",
    "push": "with `--dry-run` the second",
    "tag": "without a name the second",
    "log": "one document per line",
    "config unset": "`null` if it has no value any more",
    "predict": "an item per line",
    "eval": "`wall_s` differs from run to run",
}

HEAD = """\
# JSON

<!-- Made by docs/make_json.py from the code. Edit the docstrings of the result types instead. -->

With `--json` a verb prints one JSON document to stdout (`log` and `status --watch` one per line), and nothing else.
Errors are JSON too, on stderr: `{"error": {"kind": ..., "message": ..., "hint": ..., "exit_code": ...}}`; `kind` and
the exit code are stable, the words are not.

What you can rely on: fields keep their names and types. Later versions may add fields, and values to those that are one
of several words; a test of the project holds that. Ids are never shortened, times are UTC in ISO 8601, shares and
accuracies lie in [0, 1], paths are absolute. A number that is not finite is `null`. Everything but durations (`..._s`),
times and ids of agents is the same each time.

| verb | prints |
|---|---|
"""


def page() -> str:
    """Returns the whole page."""
    parts = [HEAD]
    for verb, shape in OUTPUTS.items():
        remark = f"; {REMARKS[verb]}" if verb in REMARKS else ""
        parts.append(f"| `{verb}` | {words(shape)}{remark} |\n")
    parts += [_type_part(cls) for cls in types()]
    return "".join(parts)


def types() -> list[type]:
    """Returns every dataclass that is printed or lies inside one, sorted by name."""
    found: dict[str, type] = {}
    for shape in OUTPUTS.values():
        _collect(shape, found)
    return [found[name] for name in sorted(found)]


def catalogue() -> dict[str, str]:
    """Returns the type of each documented field, by ``Type.field``."""
    return {f"{cls.__name__}.{name}": words(kind) for cls in types() for name, kind in hints(cls).items()}


def hints(cls: type) -> dict[str, Any]:
    """Returns the types of a dataclass's fields by name."""
    known = get_type_hints(cls)
    return {field.name: known[field.name] for field in fields(cls)}


def words(shape: Any) -> str:
    """Returns what JSON has for a type, in words; dataclasses are links."""
    if shape in SHIPPED:
        return " or ".join([*map(words, SHIPPED[shape].values()), "an object with another `kind`"])
    return _plain_words(shape)


def _plain_words(shape: Any) -> str:
    if is_dataclass(shape) and isinstance(shape, type):
        return f"[{shape.__name__}](#{shape.__name__.lower()})"
    origin, args = get_origin(shape), get_args(shape)
    if origin in {Literal, Union, UnionType}:
        name = "`{}`".format if origin is Literal else words
        return " or ".join(dict.fromkeys(map(name, args)))
    if origin is tuple and len(args) == 2 and args[1] is not ...:
        return f"pair of {words(args[0])} and {words(args[1])}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"object of {words(args[1])}"
    if isinstance(origin, type) and issubclass(origin, tuple | list | frozenset | Sequence):
        return f"list of {words(args[0])}"
    plain = {str: "text", int: "whole number", float: "number", bool: "boolean", NoneType: "null", Path: "text"}
    return plain.get(shape, "any")


def _type_part(cls: type) -> str:
    text = _meaning(inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[0].replace("``", "`"))
    texts = described(cls)
    rows = (f"| `{name}` | {words(kind)} | {_meaning(texts.get(name, ''))} |\n" for name, kind in hints(cls).items())
    return f"\n## {cls.__name__}\n\n{text}\n\n| field | type | meaning |\n|---|---|---|\n{''.join(rows)}"


def _meaning(text: str) -> str:
    """Returns what Python's docstring says in the words of JSON."""
    return re.sub(r"\bNone\b", "null", text).replace("|", "\\|")


def _collect(shape: Any, found: dict[str, type]) -> None:
    for inner in _inside(shape):
        if is_dataclass(inner) and isinstance(inner, type):
            if inner.__name__ not in found:
                found[inner.__name__] = inner
                for kind in hints(inner).values():
                    _collect(kind, found)
            if found[inner.__name__] is not inner:
                raise ValueError(f"two result types are called {inner.__name__}")


def _inside(shape: Any) -> Iterator[Any]:
    yield shape
    yield from SHIPPED.get(shape, {}).values()
    for part in get_args(shape):
        yield from _inside(part)


if __name__ == "__main__":
    TARGET.write_text(page())
    before = {} if "--accept" in sys.argv or not GOLDEN.exists() else json.loads(GOLDEN.read_text())
    GOLDEN.write_text(json.dumps({**catalogue(), **before}, indent=1, sort_keys=True) + "\n")
