"""Bytes by key. One primitive everywhere: put if absent, with read-back; nothing is ever changed."""

from mu2net_core.storage.local import FileLock, LocalStore, replace_file
from mu2net_core.storage.opening import open_store
from mu2net_core.storage.store import Store

__all__ = ["FileLock", "LocalStore", "Store", "open_store", "replace_file"]
