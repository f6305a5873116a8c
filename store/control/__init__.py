"""What belongs to a whole installation: its databases, accounts, keys, refresh tokens and background tasks."""

from store.control.accounts import KINDS, ROLES, Account, AccountKind, AccountRole
from store.control.control import Control
from store.control.databases import DatabaseRecord, DuplicatedName, NewDatabase
from store.control.directory import Directory
from store.control.refresh import Holder
from store.control.tasks import AlreadyRunning, Task, TaskStatus

__all__ = [
    "KINDS", "ROLES", "Account", "AccountKind", "AccountRole", "AlreadyRunning", "Control", "DatabaseRecord",
    "Directory", "DuplicatedName", "Holder", "NewDatabase", "Task", "TaskStatus",
]
