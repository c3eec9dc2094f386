from .downloading import download
from .files import TEMP_PREFIX, is_of_the_system, make_folder, read_if_there, replace_file, translate, translated
from .links import check_no_links, find_links, is_link, link_error, open_itself, walk
from .local import LocalStore, synced_together
from .lock import FileLock, holder_of
from .opening import open_store
from .rights import is_strangers, keep_from_others, unshared, who_may
from .secrets import USUAL_PLACES, check_folder, check_no_secret, check_no_secret_in_uri
from .store import Store, is_key

__all__ = [
    "TEMP_PREFIX",
    "USUAL_PLACES",
    "FileLock",
    "LocalStore",
    "Store",
    "check_folder",
    "check_no_links",
    "check_no_secret",
    "check_no_secret_in_uri",
    "download",
    "find_links",
    "holder_of",
    "is_key",
    "is_link",
    "is_of_the_system",
    "is_strangers",
    "keep_from_others",
    "link_error",
    "make_folder",
    "open_itself",
    "open_store",
    "read_if_there",
    "replace_file",
    "synced_together",
    "translate",
    "translated",
    "unshared",
    "walk",
    "who_may",
]
