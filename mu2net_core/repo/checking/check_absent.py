"""What became of objects that are not here: whether a remote has them, or a damaged copy, or what is whole without."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from mu2net_core.errors import Mu2netError
from mu2net_core.repo.checking.check_objects import Scan
from mu2net_core.repo.checking.check_refs import RefScan
from mu2net_core.repo.checking.check_walk import Walk
from mu2net_core.repo.core import Remote
from mu2net_core.repo.remotes import RemoteRepository, connect

__all__ = ["ask_remotes", "set_aside", "ways_back"]

_ASIDE = re.compile(r"(component|model|task|commit|snapshot)-([0-9a-f]{64})\b.*")


def ask_remotes(walk: Walk, remotes: Iterable[Remote], aside: Mapping[str, Path]) -> None:
    """Lists the components of partial remotes, and notes as missing what is neither here nor on one of them.

    None is asked for by its id, which a remote that never referred to it has no business to know.

    Args:
        walk: with the absent components.
        remotes: all that are configured.
        aside: damaged copies, as ``set_aside`` returns them.
    """
    if not walk.absent:
        return
    there = dict[str, frozenset[str]]()
    silent: dict[str, str] = {}
    for remote in remotes:
        if remote.partial:
            try:
                there[remote.name] = _listed(connect(remote))
            except Mu2netError as exc:
                silent[remote.name] = exc.message
    if not there:
        _report_silence(walk, silent, aside)
        return
    asked, held = ", ".join(there), frozenset[str]().union(*there.values())
    unasked = f" ({', '.join(silent)} could not be asked)" if silent else ""
    for oid, by in walk.absent.items():
        if oid not in held:
            walk.missing.add(("component", oid))
            message = f"It is neither here nor on {asked}{unasked}, though {by} needs it."
            walk.report("missing-object", f"component/{oid}", message)


def _listed(remote: RemoteRepository) -> frozenset[str]:
    """Returns the components of a remote; raises Mu2netError if it cannot be reached."""
    remote.config()
    return frozenset(remote.objects.ids("component"))


def _report_silence(walk: Walk, silent: Mapping[str, str], aside: Mapping[str, Path]) -> None:
    """Reports that no remote could be asked, and one by one what was here and is damaged."""
    walk.missing |= {("component", oid) for oid in walk.absent}
    many = f"{len(walk.absent)} components that are" if len(walk.absent) > 1 else "1 component that is"
    for name, reason in silent.items():
        message = f"{reason} So {many} not here could not be checked."
        walk.report("unreachable-remote", f"remote/{name}", message)
    for oid, by in walk.absent.items():
        if f"component/{oid}" in aside:
            message = f"It is not here, though {by} needs it, and no remote could be asked."
            walk.report("missing-object", f"component/{oid}", message)


def set_aside(folder: Path) -> dict[str, Path]:
    """Returns the damaged copies that were moved into ``folder``, by ``<kind>/<id>`` of their object."""
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError:
        return {}
    found = [match for name in names if (match := _ASIDE.fullmatch(name))]
    return {f"{match[1]}/{match[2]}": folder / match[0] for match in found}


def ways_back(scan: Scan, refs: RefScan, lost: set[str]) -> dict[str, str]:
    """Returns per lost component of a head which earlier model of its task still has all it needs."""
    notes: dict[str, str] = {}
    for task in sorted({task for task, _, _ in refs.commits}) if lost else ():
        entries = sorted(((number, oid) for name, number, oid in refs.commits if name == task), reverse=True)
        models = [scan.commits[oid].model for _, oid in entries if oid in scan.commits]
        parts = [{r.id for r in scan.models[m].components} if m in scan.models else None for m in models]
        gone = lost & (parts[0] or set()) if parts else set()
        whole = next((m for m, part in zip(models, parts, strict=True) if m and part and not part & lost), None)
        note = f" No earlier model of {task} is whole."
        if whole is not None:
            note = f" The newest model of {task} that is whole: mu2net eval {whole[:10]}"
        for oid in gone:
            notes[f"component/{oid}"] = notes.get(f"component/{oid}", "") + note
    return notes
