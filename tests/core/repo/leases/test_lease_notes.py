"""Since when an agent is silent is noted for all processes of a working copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from mu2net_core.objects import file_name
from mu2net_core.repo.leases import Held, Lease
from mu2net_core.testing.building.leasing import Machine, take, taken


def test_processes_of_one_working_copy_go_on_from_what_the_others_saw(ann: Machine, tmp_path: Path) -> None:
    ben = Machine(ann.repo, "b", file=tmp_path / "notes" / "seen.json")
    lease = taken(ann.leases())
    take(ben.leases())
    ben.clock.now += lease.entry.ttl_s
    assert isinstance(take(ben.leases(slot=1)), Lease)


def test_who_may_write_no_notes_remembers_what_he_saw_himself(ann: Machine, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ben = Machine(ann.repo, "b", file=tmp_path / "file" / "seen.json")
    lease, looking = taken(ann.leases()), ben.leases()
    assert len(looking.living()) == 1
    ben.clock.now += lease.entry.ttl_s
    assert looking.living() == ()


@pytest.mark.parametrize("noted", ["", "[]", '{"%s":[1,1]}', '{"%s":[1,1,2000.0]}'])
def test_notes_that_are_damaged_or_of_before_a_restart_count_for_nothing(
    ann: Machine, tmp_path: Path, noted: str
) -> None:
    ben = Machine(ann.repo, "b", file=tmp_path / "seen.json")
    (tmp_path / "seen.json").write_text(noted.replace("%s", file_name("cats")))
    lease = taken(ann.leases())
    assert isinstance(take(ben.leases()), Held)
    ben.clock.now += lease.entry.ttl_s
    assert isinstance(take(ben.leases()), Lease)
