"""What a model was found to be good at, stored beside the commit that retains it: no object, and nothing needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mu2net_core.objects.names import check_name
from mu2net_core.objects.oid import check_oid
from mu2net_core.version import FORMAT

__all__ = ["StoredReport"]

_SPLITS = {"train", "validation", "test"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReport:
    """The report of one evaluation.

    Attributes:
        task: of the model.
        commit: that retains it.
        model: its id.
        split: of the task, on which it was measured.
        result: what was found, as ``eval --json`` prints it; of examples that lie in files the file's name alone.
    """

    format: int = FORMAT
    kind: Literal["report"] = "report"
    task: str
    commit: str
    model: str
    split: str
    result: Mapping[str, Any]

    def __post_init__(self) -> None:
        check_name(self.task, "task name")
        check_oid(self.commit)
        check_oid(self.model)
        if self.split not in _SPLITS:
            raise ValueError(f"split: expected train, validation or test, got {self.split[:80]!r}")
