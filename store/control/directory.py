"""Who and what there is, as of one moment: every database and account in force, found without the disk."""

from __future__ import annotations

from store.control.accounts import Account
from store.control.databases import DatabaseRecord


class Directory:
    """``revision`` grows with every change, so an equal one needs no new reading."""

    def __init__(
        self, org_id: str, revision: int, databases: list[DatabaseRecord], accounts: list[Account]
    ) -> None:
        self.org_id = org_id
        self.revision = revision
        self.databases = {database.id: database for database in databases}
        self.by_name = {database.name: database for database in databases}
        self.accounts = {account.id: account for account in accounts}

    def usable(self, account: Account) -> list[DatabaseRecord]:
        """Databases that exist for an account, in the order they were made."""
        return [database for database in self.databases.values() if account.may_use(database.id)]
