from .keeper import Keeper
from .keys import dead_leases, delete_leases, lease_key, parse_lease_key, remove_leases
from .leases import Held, Lease, Leases
from .observer import Observer

__all__ = [
    "Held",
    "Keeper",
    "Lease",
    "Leases",
    "Observer",
    "dead_leases",
    "delete_leases",
    "lease_key",
    "parse_lease_key",
    "remove_leases",
]
