"""How far following edges from the refs has come, and what was found on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mu2net_core.objects import Kind
from mu2net_core.repo.checking.check_objects import Scan
from mu2net_core.repo.core import Problem, ProblemKind, Purged

__all__ = ["Walk"]


@dataclass(slots=True, kw_only=True)
class Walk:
    """What refs reach.

    Attributes:
        scan: the objects.
        partial: whether components that are missing may be on a remote.
        purged: what was purged, and may be missing.
        needed: (kind, id) of every object strongly referenced so far, there or not.
        reached: (kind, id) of every object met, weakly referenced ones too if they are there.
        missing: (kind, id) of strongly referenced objects that are not there.
        absent: components that are not there and may be on a partial remote: who needs them, by id.
        problems: found so far.
        warnings: what does no harm, likewise.
    """

    scan: Scan
    partial: bool
    purged: Purged
    reached: set[tuple[Kind, str]] = field(default_factory=set)
    needed: set[tuple[Kind, str]] = field(default_factory=set)
    missing: set[tuple[Kind, str]] = field(default_factory=set)
    absent: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def need(self, kind: Kind, oid: str, by: str) -> bool:
        """Notes a strong reference; returns whether the object is there and met for the first time."""
        self.needed.add((kind, oid))
        if (kind, oid) in self.reached or (kind, oid) in self.missing:
            return False
        here: Mapping[str, object] = getattr(self.scan, f"{kind}s")
        if oid in here:
            self.reached.add((kind, oid))
            return True
        if (kind, oid) in self.scan.unread:  # told already
            self.missing.add((kind, oid))
            return False
        if (kind, oid) in self.scan.damaged or self.purged.lists((kind, oid)) is not None:
            return False
        if kind == "component" and self.partial:
            self.absent.setdefault(oid, by)
        else:
            self.missing.add((kind, oid))
            self.report("missing-object", f"{kind}/{oid}", f"It is not there, though {by} needs it.")
        return False

    def reached_models(self) -> list[str]:
        """Returns the ids of all models met, sorted."""
        return sorted(oid for kind, oid in self.reached if kind == "model")

    def report(self, kind: ProblemKind, about: str, message: str) -> None:
        """Notes a problem."""
        self.problems.append(Problem(kind=kind, object=about, message=message))

    def warn(self, kind: ProblemKind, about: str, message: str) -> None:
        """Notes what does no harm."""
        self.warnings.append(Problem(kind=kind, object=about, message=message))
