"""Every guard is seen to hold alone: an attack that gets through when all guards are down is held by each one of them.

Where several guards stand in one attack's way, all of them are taken away at first, which shows that the test can fail;
then all but one, for each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from mu2net_core.errors import Mu2netError
from mu2net_core.objects import component_rule
from mu2net_core.testing.worlds.circles import CIRCLES, Circles
from mu2net_core.testing.worlds.siege import besiege

Patch = tuple[str, Any]


def nothing(*_: object, **__: object) -> None:
    """Finds nothing wrong."""


def by_manifest(trained_by, label, rules):
    return component_rule(trained_by, rules)


ARRIVAL: tuple[Patch, ...] = (
    ("mu2net_core.repo.exchange.intake.check", nothing),
    ("mu2net_core.repo.exchange.intake.check_parts", nothing),
    ("mu2net_core.repo.remotes.prefetch.check_parts", nothing),
)
HOLDERS = "mu2net_core.repo.remotes.remote_components.Holders.of"
PLANNING: tuple[Patch, ...] = (("mu2net_core.repo.exchange.push_plan.refusal", nothing),)
LAST_GATE: tuple[Patch, ...] = (
    ("mu2net_core.repo.exchange.transfer.refusal", nothing),
    ("mu2net_core.repo.exchange.transfer._check_label", nothing),
)
LABELS: tuple[Patch, ...] = (
    ("mu2net_core.repo.remotes.audience.narrowest", by_manifest),
    ("mu2net_core.repo.remotes.audience.hidden_training", lambda *_: iter(())),
)
NO_STONES: tuple[Patch, ...] = (
    ("mu2net_core.repo.history.system.Purged", SimpleNamespace(read=lambda _: SimpleNamespace(rules={}))),
)
ISOLATION: tuple[Patch, ...] = tuple(
    (f"mu2net_core.repo.exchange.{module}.ISOLATED", ())
    for module in ("adopting", "fetching_heads", "fetching_names", "intake")
)
CLASHES: tuple[Patch, ...] = (("mu2net_core.repo.exchange.adopting.find_clashes", lambda *_, **__: {}),)
CONSENT: tuple[Patch, ...] = (("mu2net_core.api.sharing.exchanges.effective_follow_purges", lambda *_: True),)
BELIEF: tuple[Patch, ...] = (
    ("mu2net_core.repo.remotes.tombstone_scope.without_others", lambda stone, _: stone),
    ("mu2net_core.repo.exchange.losses.without_others", lambda stones, _: tuple(stones)),
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """An attack, and the guards in its way: each by its name and by what takes it away."""

    attack: Callable[[Circles], None]
    guards: dict[str, tuple[Patch, ...]]
    leak: str


def shared(circles: Circles) -> None:
    """Copy 0 has work for everybody, for team-a, and for both teams that learned from team-a; all have their share."""
    circles.add(0, "ants", None)
    circles.evolve(0, "ants")
    circles.add(0, "cats", ("team-a",))
    circles.evolve(0, "cats", trains=["embedding", "head"])
    circles.add(0, "dogs", ("team-a", "team-b"))
    circles.evolve(0, "dogs", parent_of="cats")
    for remote in CIRCLES:
        circles.push(0, remote)


def push_everywhere(circles: Circles, copy: int) -> None:
    for remote in CIRCLES:
        circles.push(copy, remote)


def hide_training(circles: Circles) -> None:
    shared(circles)
    victim = next(v for v in circles.victims("pub") if v.ref.name == "embedding")
    circles.attacker("pub").forged_training("ants", victim)
    circles.pull(0, "pub")
    push_everywhere(circles, 0)


def name_a_private_model_a_root(circles: Circles) -> None:
    shared(circles)
    circles.attacker("pub").root_of(circles.oracle.private(None, "model")[0])
    circles.pull(0, "pub")
    push_everywhere(circles, 0)


def descend_from_a_private_model(circles: Circles) -> None:
    shared(circles)
    model = next(oid for oid in circles.oracle.private(None, "model") if oid in str(circles.victims("pub")))
    attacker = circles.attacker("team-a")
    attacker.descends_from("ants", model)
    attacker.rewritten("ants")
    attacker.rewritten("cats", keeps_model=False)
    circles.clone(1, "team-a", full=True)
    push_everywhere(circles, 1)


def widen_by_a_followed_purge(circles: Circles) -> None:
    shared(circles)
    circles.change(0, "pull.follow_purges", value=True)
    circles.attacker("team-a").forged_purge("cats")
    circles.pull(0, "team-a")
    circles.evolve(0, "dogs")
    push_everywhere(circles, 0)


def rewrite_everything(circles: Circles) -> None:
    shared(circles)
    attacker = circles.attacker("team-a")
    for task in circles.heads("team-a"):
        attacker.rewritten(task)
    circles.clone(1, "team-a", full=True)
    push_everywhere(circles, 1)


def widen_before_training(circles: Circles) -> None:
    circles.add(0, "cats", ("team-a",))
    circles.push(0, "team-a")
    attacker = circles.attacker("team-a")
    attacker.wider_task_object("cats")
    circles.pull(0, "team-a")
    circles.evolve(0, "cats", trains=["embedding", "head"])
    circles.push(0, "team-a")
    attacker.rewritten("cats")
    circles.clone(1, "team-a", full=True)
    push_everywhere(circles, 1)


def delete_what_is_asked_for(circles: Circles) -> None:
    shared(circles)
    circles.clone(1, "team-a", full=False)
    circles.attacker("team-a").delete("objects/component")
    circles.evolve(1, "cats")


def lose_what_was_never_there(circles: Circles) -> None:
    shared(circles)
    victim = next(v for v in circles.victims("pub") if v.ref.name == "embedding")
    circles.attacker("pub").forged_training("ants", victim)
    circles.repair_there(0, "pub")


CASES = (
    Case(
        attack=hide_training,
        guards={"planning": PLANNING, "the last gate": LAST_GATE},
        leak="component.*only team-a may have it",
    ),
    Case(
        attack=hide_training, guards={"arrival": ARRIVAL, "labels": LABELS}, leak="component.*only team-a may have it"
    ),
    Case(attack=rewrite_everything, guards={"planning": PLANNING, "the last gate": LAST_GATE}, leak="only team-a"),
    Case(
        attack=name_a_private_model_a_root,
        guards={"planning": PLANNING, "the last gate": LAST_GATE},
        leak="objects/model.*only team-a",
    ),
    Case(
        attack=descend_from_a_private_model,
        guards={"labels": LABELS, "task objects": (("mu2net_core.repo.remotes.audience._Judge._named_task", nothing),)},
        leak="objects/task.*only team-a",
    ),
    Case(
        attack=widen_by_a_followed_purge,
        guards={"what the purge left": NO_STONES},
        leak="cats, which only team-a may know of",
    ),
    Case(
        attack=widen_before_training,
        guards={"labels": (("mu2net_core.testing.building.samples.granted_rule", nothing),)},
        leak="component.*only team-a",
    ),
    Case(
        attack=delete_what_is_asked_for,
        guards={"holders": ((HOLDERS, lambda self, oid, remotes: list(remotes)),)},
        leak="read objects/component",
    ),
    Case(
        attack=lose_what_was_never_there,
        guards={
            "repairs": (
                ("mu2net_core.repo.exchange.repair_source.GuardedSource._component", nothing),
                ("mu2net_core.repo.exchange.repair_source.GuardedSource._manifest", nothing),
            )
        },
        leak="component.*only team-a",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Blow:
    """What an attacker does to a remote, and the guards that keep it from others: each by what takes it away."""

    attack: str
    guards: dict[str, tuple[Patch, ...]]
    harm: str


BLOWS = (
    Blow(attack="head of nothing", guards={"isolation": ISOLATION}, harm="did not get to|missing"),
    Blow(attack="tag of nothing", guards={"isolation": ISOLATION}, harm="did not get to|missing"),
    Blow(attack="root of nothing", guards={"isolation": ISOLATION}, harm="did not get to|missing"),
    Blow(attack="poisoned counters", guards={"arrival": ARRIVAL}, harm="took over"),
    Blow(attack="absurd score", guards={"arrival": ARRIVAL}, harm="took over"),
    Blow(attack="foreign history", guards={"arrival": ARRIVAL}, harm="took over"),
    Blow(attack="another's model", guards={"arrival": ARRIVAL}, harm="took over"),
    Blow(attack="group name", guards={"clashes": CLASHES}, harm="took over"),
    Blow(attack="forged purge", guards={"consent": CONSENT}, harm="purged what nobody purged"),
    Blow(attack="tombstone of others' work", guards={"belief": BELIEF}, harm="did not get to"),
)


@contextmanager
def without(guards: dict[str, tuple[Patch, ...]], *, but: str | None = None) -> Iterator[None]:
    """Takes all guards away but one."""
    with ExitStack() as stack:
        for name, patches in guards.items():
            for target, instead in patches if name != but else ():
                stack.enter_context(mock.patch(target, instead))
        yield


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.attack.__name__)
def test_without_its_guards_an_attack_gets_through(folder: Path, case: Case) -> None:
    with without(case.guards), pytest.raises(AssertionError, match=case.leak):
        case.attack(Circles(folder))


@pytest.mark.parametrize(
    ("case", "guard"),
    [(case, guard) for case in CASES for guard in case.guards],
    ids=lambda value: value if isinstance(value, str) else value.attack.__name__,
)
def test_each_guard_holds_alone(folder: Path, case: Case, guard: str) -> None:
    with without(case.guards, but=guard):
        case.attack(Circles(folder))


@pytest.mark.parametrize("blow", BLOWS, ids=lambda blow: blow.attack)
def test_without_its_guards_a_blow_hits_others(folder: Path, blow: Blow) -> None:
    with without(blow.guards), pytest.raises((AssertionError, Mu2netError), match=blow.harm):
        besiege(folder, blow.attack)
