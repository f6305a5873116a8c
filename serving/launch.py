"""How an endpoint is started: what the command line hands to its worker processes, through one environment variable."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import UsageError
from contracts.settings import Decisions, Ingest, LiveSegments, Recommendations, Serving, Settings, Webhooks
from store.layout import Layout

VARIABLE = "NIGHTLOOM_ENDPOINT"
LISTS = ("crossing_minds_hosts", "cors_origins", "octy_hosts", "conductrics_hosts")


@dataclass(frozen=True, slots=True)
class Launch:
    """``host``: the address that is bound; ``tallies``: the folder where workers count, empty for counting alone."""

    layout: Layout
    settings: Settings
    host: str
    tallies: str = ""

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the endpoint."""
        return self.host in ("127.0.0.1", "::1", "localhost")

    def to_environment(self) -> None:
        """Leave everything for ``from_environment`` in this process and its children."""
        os.environ[VARIABLE] = json.dumps({
            "home": str(self.layout.home), "workspace": self.layout.workspace, "host": self.host,
            "tallies": self.tallies,
            "journal_url": self.settings.journal_url, "ingest": dataclasses.asdict(self.settings.ingest),
            "recommendations": dataclasses.asdict(self.settings.recommendations),
            "serving": dataclasses.asdict(self.settings.serving),
            "webhooks": dataclasses.asdict(self.settings.webhooks),
            "live_segments": dataclasses.asdict(self.settings.live_segments),
            "decisions": dataclasses.asdict(self.settings.decisions),
        })

    @classmethod
    def from_environment(cls) -> Launch:
        """Read what ``to_environment`` left. Raises UsageError when there is nothing."""
        text = os.environ.get(VARIABLE)
        if not text:
            raise UsageError(f"{VARIABLE} is not set", hint="start the endpoint with `nightloom serve`")
        told = json.loads(text)
        ranking = {**told["recommendations"], "item_stop_list": tuple(told["recommendations"]["item_stop_list"])}
        lists = {name: tuple(told["serving"][name]) for name in LISTS}
        webhooks = {**told["webhooks"], "allow_networks": tuple(told["webhooks"]["allow_networks"])}
        settings = Settings(
            workspace=told["workspace"], journal_url=told["journal_url"], ingest=Ingest(**told["ingest"]),
            recommendations=Recommendations(**ranking), serving=Serving(**{**told["serving"], **lists}),
            webhooks=Webhooks(**webhooks), live_segments=LiveSegments(**told["live_segments"]),
            decisions=Decisions(**told["decisions"]),
        )
        return cls(Layout(Path(told["home"]), told["workspace"]), settings, told["host"], told["tallies"])
