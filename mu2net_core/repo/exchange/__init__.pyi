from .adopting import adopt
from .carrying import bring_reports, send_reports
from .continuity import check_forward
from .fetching import check_known, fetch, unknown_task
from .intake import incoming_of
from .joining import OnConflict, Policy
from .losses import GONE, find_lost_refs
from .name_clashes import is_group
from .push_preview import preview
from .pushing import push
from .repair_source import GuardedSource

__all__ = [
    "GONE",
    "GuardedSource",
    "OnConflict",
    "Policy",
    "adopt",
    "bring_reports",
    "check_forward",
    "check_known",
    "fetch",
    "find_lost_refs",
    "incoming_of",
    "is_group",
    "preview",
    "push",
    "send_reports",
    "unknown_task",
]
