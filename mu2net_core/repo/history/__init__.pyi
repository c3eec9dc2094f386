from .commit_index import History, How, Past
from .contributions import Contribution, Contributions, component_mark
from .in_step import head_at
from .merging import Manifests, ancestry, choose, contains, is_at_purge, is_canonical_merge, merge, news
from .notes import MEASURED_FILE, Notes, forget_history
from .plausibility import ISOLATED, Arrivals, check, check_parts
from .revisions import Resolved, check_new_name, near, resolve
from .system import (
    basis_of,
    granted_rule,
    head_with,
    load_rules,
    load_system,
    load_system_then,
    record_snapshot,
    visible_models,
    visible_snapshot,
)
from .winner import contenders
from .wording import arrived, by_whom, sides

__all__ = [
    "ISOLATED",
    "MEASURED_FILE",
    "Arrivals",
    "Contribution",
    "Contributions",
    "History",
    "How",
    "Manifests",
    "Notes",
    "Past",
    "Resolved",
    "ancestry",
    "arrived",
    "basis_of",
    "by_whom",
    "check",
    "check_new_name",
    "check_parts",
    "choose",
    "component_mark",
    "contains",
    "contenders",
    "forget_history",
    "granted_rule",
    "head_at",
    "head_with",
    "is_at_purge",
    "is_canonical_merge",
    "load_rules",
    "load_system",
    "load_system_then",
    "merge",
    "near",
    "news",
    "record_snapshot",
    "resolve",
    "sides",
    "visible_models",
    "visible_snapshot",
]
