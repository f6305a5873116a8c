"""The transactional store of one workspace: writes through the API, the run pointer, leases, keys, documents."""

from store.journal.journal import Journal, JournalState, utc_now
from store.journal.keys import Key, KeyRing, Role
from store.journal.lease import Lease
from store.journal.pointer import Pointer, Promotion, RunRecord
from store.journal.writes import Accepted, StoredWrite, Write

__all__ = [
    "Accepted", "Journal", "JournalState", "Key", "KeyRing", "Lease", "Pointer", "Promotion", "Role", "RunRecord",
    "StoredWrite", "Write", "utc_now",
]
