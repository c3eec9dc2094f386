from .core.config import Config, Layers, Setting
from .core.create import create_repository
from .core.database import ObjectDatabase
from .core.refs import HeadState, Refs
from .core.remote_config import Remote
from .core.repository import Repository
from .history.system import load_system, load_system_then, record_snapshot, visible_snapshot
from .remotes.discover import find_repository, open_repository

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
