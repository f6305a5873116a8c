"""One published run as the endpoint sees it: who it is, and its serving pack."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from contracts.errors import NightloomError, StorageError
from store.layout import Layout
from store.pack.read import ServingPack


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A mapped run. ``as_of`` and ``created_at`` are naive UTC. It stays usable after the run's files are removed."""

    run_id: str
    as_of: datetime
    created_at: datetime
    models: dict[str, object]
    pack: ServingPack

    @classmethod
    def open(cls, layout: Layout, run_id: str) -> Snapshot:
        """Map a run. Raises StorageError when it is gone or damaged."""
        folder = layout.run(run_id)
        try:
            manifest = json.loads((folder / "manifest.json").read_bytes())
            return cls(
                run_id, _naive(manifest["identity"]["as_of"]), _naive(manifest["created_at"]), dict(manifest["models"]),
                ServingPack(folder / "pack"),
            )
        except NightloomError:
            raise
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise StorageError(
                f"run {run_id} cannot be opened: {type(error).__name__}: {error}", hint="roll back, or run a night"
            ) from error


def _naive(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
