"""Systems made of manifests alone, with no repository and no arrays: what the search looks at."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mu2net_core.objects import (
    AccessRule,
    Architecture,
    Commit,
    ComponentRef,
    Head,
    Hyperparameter,
    Model,
    Scorer,
    System,
    Training,
    encode,
    hash_bytes,
)
from mu2net_core.search import Member
from mu2net_core.testing.building.samples import sample_task

__all__ = ["SampleStructure", "SystemBuilder", "sample_member", "sample_ref"]


@dataclass(frozen=True, slots=True)
class SampleStructure:
    """The structure of models that are ``num_layers`` blocks and adapters before them.

    Attributes:
        always_trainable: names of the layers every child trains.
    """

    always_trainable: frozenset[str] = frozenset({"norm", "head"})

    def structural(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], kinds: Collection[str]
    ) -> Mapping[str, Mapping[str, Hyperparameter]]:
        """Returns an adapter for each block that has none, and an MLP twice as wide for each block."""
        blocks = range(int(hyperparameters.get("num_layers", 0)))
        adapters = [f"adapter_{k}" for k in blocks if f"adapter_{k}" not in hyperparameters and "adapter" in kinds]
        wider = {
            f"mlp_{k}": 2 * int(hyperparameters.get(f"mlp_{k}", config["width"])) for k in blocks if "mlp" in kinds
        }
        return {
            **{f"add:{name}": {name: hyperparameters["adapter_dim"]} for name in adapters},
            **{f"grow:{name}": {name: size} for name, size in wider.items()},
        }

    def settled(self, hyperparameters: Mapping[str, Hyperparameter]) -> dict[str, Hyperparameter]:
        """Returns the hyperparameters without what belongs to blocks that are not there any more."""
        blocks = int(hyperparameters.get("num_layers", 0))
        return {
            name: value
            for name, value in hyperparameters.items()
            if not name.startswith(("adapter_", "mlp_")) or name == "adapter_dim" or int(name.split("_")[1]) < blocks
        }


def sample_ref(name: str, *trained_by: str, oid: str | None = None, num_params: int = 10) -> ComponentRef:
    """Returns a component's place, its knowledge from the tasks ``trained_by``; the id defaults to the name."""
    return ComponentRef(
        id=oid or name,
        name=name,
        num_params=num_params,
        size_bytes=8 * num_params,
        trainable=bool(trained_by),
        operation="clone" if trained_by else "root",
        training={task: Training(steps=1, examples=1) for task in trained_by},
    )


def sample_member(
    task: str | None,
    refs: Sequence[ComponentRef],
    *,
    parent: str | None = None,
    score: float = 0.5,
    retained: bool = True,
    hyperparameters: Mapping[str, Hyperparameter] | None = None,
    mutation_rates: Mapping[str, float] | None = None,
) -> Member:
    """Returns a model of ``task`` made of ``refs``, or a root model if ``task`` is None."""
    evolved = {} if task is None else _evolved(task, parent or "root", score, retained=retained)
    model = Model(
        architecture=Architecture(name="vit", config={"width": 4}),
        components=tuple(refs),
        hyperparameters=hyperparameters or {"mu": 0.1, "learning_rate": 0.01},
        mutation_rates=mutation_rates or {},
        **evolved,  # type: ignore[arg-type]
    )
    return Member(id=hash_bytes(encode(model)), model=model)


@dataclass(slots=True)
class SystemBuilder:
    """Collects heads and roots into a system.

    Attributes:
        heads: by task name.
        roots: root models by id.
        rules: access rules by task name.
        ancestors: further models by id.
    """

    heads: dict[str, Head] = field(default_factory=dict)
    roots: dict[str, Model] = field(default_factory=dict)
    rules: dict[str, AccessRule] = field(default_factory=dict)
    ancestors: dict[str, Model] = field(default_factory=dict)

    def root(self, member: Member) -> SystemBuilder:
        """Adds a root model."""
        self.roots[member.id] = member.model
        return self

    def task(
        self,
        name: str,
        member: Member | None = None,
        *,
        readers: Collection[str] | None = None,
        selections: Mapping[str, int] | None = None,
    ) -> SystemBuilder:
        """Adds a task with its retained model; ``readers`` None means everybody, ``selections`` are by model id."""
        access = AccessRule() if readers is None else AccessRule.only(readers)
        commit = Commit(
            task=name,
            task_id=f"task:{name}",
            model=None if member is None else member.id,
            selections={model: {"agent": times} for model, times in (selections or {}).items()},
            started_at="2026-01-01T00:00:00.000000+00:00",
            finished_at="2026-01-01T00:00:00.000000+00:00",
        )
        self.heads[name] = Head(
            commit_id=hash_bytes(encode(commit)),
            commit=commit,
            task=sample_task(name, access),
            model=None if member is None else member.model,
        )
        self.rules[name] = access
        return self

    def build(self) -> System:
        """Returns the system."""
        return System(heads=self.heads, roots=self.roots, rules=self.rules, ancestors=self.ancestors)


def _evolved(task: str, parent: str, score: float, *, retained: bool) -> dict[str, object]:
    return {
        "task": task,
        "task_id": f"task:{task}",
        "root": "root",
        "parent": parent,
        "validation_curve": (score,),
        "quality": score,
        "score": score,
        "scorer": Scorer(),
        "test_quality": score if retained else None,
    }
