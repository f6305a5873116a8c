"""A receiver of notifications, as a process of its own: prints its port, then a line of JSON for each request.

What it answers is told by the path: /ok, /fail/N (500 to the first N of each delivery), /slow (for a minute, drop by
drop), /redirect, /big, /drop (closes without an answer).
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SEEN: Counter[str] = Counter()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        delivery = self.headers.get("x-nightloom-delivery", "")
        SEEN[delivery] += 1
        line = {"method": self.command, "path": self.path, "body": body, "headers": dict(self.headers.items())}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        kind, _, number = self.path.strip("/").partition("/")
        if kind == "drop":
            self.close_connection = True
            return
        if kind == "slow":
            self.send_response(200)
            for _ in range(600):
                self.send_header("x-drop", "1")
                self.flush_headers()
                time.sleep(0.1)
        status = 500 if kind == "fail" and SEEN[delivery] <= int(number) else 302 if kind == "redirect" else 200
        answer = b"x" * 10_000 if kind == "big" else b'{"got":true}'
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/ok")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        pass


@dataclass
class Receiver:
    port: int
    log: Path

    def url(self, path: str = "/ok", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def got(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()[1:]]


@contextmanager
def receiving(log: Path) -> Iterator[Receiver]:
    with log.open("w") as out:
        process = subprocess.Popen([sys.executable, __file__], stdout=out)
    try:
        until = time.monotonic() + 20
        while not log.read_text().strip() and time.monotonic() < until:
            time.sleep(0.02)
        yield Receiver(int(log.read_text().splitlines()[0]), log)
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
