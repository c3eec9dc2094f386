"""Tasks as a newer mu2net writes them: of kinds, and with keys, that this version does not know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from mu2net_core.objects import PUBLIC, AccessRule, encode, object_key
from mu2net_core.repo import Repository
from mu2net_core.testing.attacks.writer import Writer
from mu2net_core.testing.building.samples import sample_task

__all__ = ["NEWER", "STORED_ONLY", "add_newer_task", "newer_task"]

_SPLITS: Final = json.loads(encode(sample_task("a")))["splits"]

_AGE: Final = {"name": "age", "values": None, "knots": [18.0, 40.5, 90.0], "date": None}

NEWER: Final[Mapping[str, Mapping[str, Any]]] = {
    "an input": {"input": {"kind": "sound", "rate": 16_000, "bands": [{"low": 0.5}]}, "needs": "9.1"},
    "an output": {"output": {"kind": "boxes", "names": ["cat"]}},
    "both": {"input": {"kind": "sound"}, "output": {"kind": "sound"}, "metric": "snr"},
    "a key": {"licence": {"name": "CC0"}},
    "a key of an input": {"input": {"kind": "image", "height": 8, "width": 8, "channels": 1, "depth": 16}},
    "a key of an output": {"output": {"kind": "classes", "names": ["no", "yes"], "tree": {}}},
    "a key of a split": {"splits": {**_SPLITS, "train": {**_SPLITS["train"], "weights": [1.0]}}},
}
"""What of a task is new, and what that changes in one that is not."""

STORED_ONLY: Final[Mapping[str, Mapping[str, Any]]] = {
    "text": {"input": {"kind": "text", "max_length": 280}},
    "a table": {"input": {"kind": "table", "columns": [_AGE]}},
    "labels": {"output": {"kind": "labels", "names": ["old", "new"]}, "metric": "f1"},
    "a number": {"output": {"kind": "number", "mean": 1.5, "deviation": 0.5}, "metric": "r2"},
    "a metric": {"metric": "top-5"},
}
"""What this version knows and nobody trained so far, likewise."""


def newer_task(name: str, change: Mapping[str, Any], access: AccessRule = PUBLIC) -> bytes:
    """Returns the bytes of a task object with other values, which this version need not know."""
    return encode({**json.loads(encode(sample_task(name, access))), **change})


def add_newer_task(
    place: Repository, name: str, change: Mapping[str, Any], *, access: AccessRule = PUBLIC
) -> tuple[str, bytes]:
    """Adds a task without a model, as a newer mu2net would; returns the key and the bytes of its object."""
    writer, data = Writer.into(place), newer_task(name, change, access)
    task_id = place.objects.put_bytes("task", data)
    writer.move(name, replace(writer.first(name), task_id=task_id))
    return object_key("task", task_id), data
