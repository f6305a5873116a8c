"""``nightloom serve``: the lookup endpoint."""

from __future__ import annotations

import sys
import tempfile
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from cli.home import find_layout


def serve(
    *,
    host: str = "",
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 0,
    workers: Annotated[int, Parameter(validator=Number(gte=0))] = 0,
    workspace: str = "",
) -> None:
    """Start the lookup endpoint and keep it up until it is stopped.

    Parameters
    ----------
    host
        Address to bind; by default serving.host of the settings, which is the loopback.
    port
        Port; by default serving.port of the settings.
    workers
        Worker processes; by default serving.workers of the settings.
    workspace
        Workspace.
    """
    import uvicorn

    from serving.launch import Launch
    from store.definitions import load_settings
    from store.journal import Journal

    layout = find_layout(workspace)
    settings = load_settings(layout)
    address, number = host or settings.serving.host, port or settings.serving.port
    processes = workers or settings.serving.workers
    with Journal.open(layout, settings) as journal:
        known = journal.keys()
        if all(key.revoked_at for key in known):
            print("there is no key yet: nightloom keys create --role read", file=sys.stderr)
        if journal.pointer() is None:
            print("no run is published yet: the endpoint answers 503 until there is one", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="nightloom-") as tallies:
        launch = Launch(layout, settings, address, tallies)
        launch.to_environment()
        if not launch.loopback:
            print(f"bound to {address}: keys travel in clear text, put a TLS proxy in front", file=sys.stderr)
        where = f"http://{address}:{number}"
        print(f"nightloom serves {layout.workspace} on {where}, {processes} process(es); see {where}/docs", flush=True)
        uvicorn.run(
            "serving.app:from_environment", factory=True, host=address, port=number, workers=processes,
            http="httptools", loop="uvloop", lifespan="on", access_log=False, log_level="warning",
            server_header=False, proxy_headers=False,
            timeout_keep_alive=75, timeout_graceful_shutdown=10, timeout_worker_healthcheck=30,
        )
