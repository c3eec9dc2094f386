"""A repository: objects by id, heads, tags and roots, settings; and everything that keeps them whole."""

from mu2net_core.repo.config import Config, Layers, Remote, Setting
from mu2net_core.repo.create import create_repository
from mu2net_core.repo.database import ObjectDatabase
from mu2net_core.repo.discover import find_repository, open_repository
from mu2net_core.repo.refs import HeadState, Refs
from mu2net_core.repo.repository import Repository
from mu2net_core.repo.system import load_system, load_system_then, record_snapshot, visible_snapshot

__all__ = [
    "Config",
    "HeadState",
    "Layers",
    "ObjectDatabase",
    "Refs",
    "Remote",
    "Repository",
    "Setting",
    "create_repository",
    "find_repository",
    "load_system",
    "load_system_then",
    "open_repository",
    "record_snapshot",
    "visible_snapshot",
]
