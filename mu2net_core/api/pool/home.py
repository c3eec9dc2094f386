"""What an agent on another machine is told of itself: where its system is, and what its working copy is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mu2net_core.api.context import Context
from mu2net_core.api.settings.serving import presets_in
from mu2net_core.api.settings.settings import known_keys, layers_of
from mu2net_core.objects import encode, hash_bytes
from mu2net_core.repo import Repository
from mu2net_core.repo.core import DATA, Value, is_shared
from mu2net_core.repo.remotes import find_remote

__all__ = ["Home", "home_of"]

_LENGTH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where an agent is at home that has no working copy yet.

    Attributes:
        name: of its working copy on any machine, so that it is found again there.
        agent: the id of that copy. It belongs to the slot, not to the machine: who goes on elsewhere is the same agent,
            and waits for no lease of its own.
        url: of the remote that it is a clone of.
        readers: of that.
        options: how to reach it.
        settings: in force where the pool is.
    """

    name: str
    agent: str
    url: str
    readers: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Value] = field(default_factory=dict)


def home_of(repo: Repository, context: Context, remote: str, slot: int) -> Home:
    """Returns where the agent of a slot is at home whose pool belongs to a working copy.

    Args:
        repo: that working copy.
        context: of this process.
        remote: the name of the remote that agents work with.
        slot: of the agent.
    """
    found = find_remote(repo.config, remote)
    agent = hash_bytes(f"{repo.agent_id} {slot}".encode())[:_LENGTH]
    return Home(
        name=hash_bytes(encode((repo.identity, agent, found)))[:_LENGTH],
        agent=agent,
        url=found.url,
        readers=found.readers or (),
        options=found.options,
        settings=_settings(repo, context),
    )


def _settings(repo: Repository, context: Context) -> dict[str, Value]:
    """Returns all settings in force but those of this machine; where data lies holds everywhere, too."""
    layers = layers_of(repo.config.settings, context)
    found = {key: layers.get(key) for key in known_keys(*presets_in(repo)) if is_shared(key)}
    data = {key: value for key, value in repo.config.settings.items() if key.startswith(DATA)}
    return data | {key: setting.value for key, setting in found.items() if setting is not None}
