"""Whose a commit is: of a key that signed it, or of whoever it says, which anybody can say.

The two are never one person, whatever names they go by.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mu2net_core.api.credits.mailmap import Mailmap
from mu2net_core.api.signing.keys import AllowedKeys, fingerprint
from mu2net_core.objects import Agent
from mu2net_core.repo.history import Contribution

__all__ = ["Identity", "People", "Person"]

Identity = Literal["signed", "unknown-key", "unchecked", "bad", "unsigned"]

_KEY = "SHA256:"
_SHOWN_ID = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody as far as it is known who: people are told apart by all of it.

    Attributes:
        name: by which they are shown.
        identity: what stands behind it.
        copy: id of the working copy, of unsigned commits that no mailmap names: several people may use one machine.
    """

    name: str
    identity: Identity
    copy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Tells whose commits are.

    Attributes:
        mailmap: what people are called.
        keys: who may sign; None for anybody.
    """

    mailmap: Mailmap
    keys: AllowedKeys | None
    _known: dict[tuple[object, ...], Person] = field(default_factory=dict)

    def of(self, agent: Agent | None, brought: Contribution) -> Person:
        """Returns who made a commit of an agent."""
        agent = agent or Agent(id="", host="", device="none")
        known = (brought.key, brought.vouched, agent.id, agent.host)
        if known not in self._known:
            stated = brought.key is None or brought.vouched is False
            self._known[known] = self._stated(agent, brought) if stated else self._signer(agent, brought)
        return self._known[known]

    def _signer(self, agent: Agent, brought: Contribution) -> Person:
        key = brought.key or ""
        shown = fingerprint(key)
        proper = self.mailmap.proper([shown], agent.host)
        address = proper.address or shown
        allowed = {} if self.keys is None else self.keys.names
        name = proper.name or self.mailmap.proper([address], "").name or allowed.get(key) or address
        if brought.vouched is None:
            return Person(name=name, identity="unchecked")
        return Person(name=name, identity="signed" if self.keys is None or key in allowed else "unknown-key")

    def _stated(self, agent: Agent, brought: Contribution) -> Person:
        """Returns whom a commit names that nobody vouches for; what looks like a key there is no key."""
        addresses = [text for text in (agent.id, agent.host) if not text.startswith(_KEY)]
        proper = self.mailmap.proper(addresses, agent.host)
        identity: Identity = "unsigned" if brought.key is None else "bad"
        if name := proper.name or proper.address:
            return Person(name=name, identity=identity)
        return Person(name=agent.host or agent.id[:_SHOWN_ID] or "unnamed", identity=identity, copy=agent.id)
