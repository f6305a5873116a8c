"""Where a dialect is served: below a path, and for every path of its host names."""

from __future__ import annotations

from collections.abc import Sequence

from serving.asgi import Scope


class Placement:
    """``path`` without a last slash counts as the prefix itself."""

    def __init__(self, path: str, hosts: Sequence[str]) -> None:
        self._path = path.rstrip("/")
        self._below = self._path + "/"
        self._hosts = frozenset(host.lower().encode("latin-1") for host in hosts)

    def takes(self, scope: Scope) -> bool:
        """Whether a request is the dialect's: by its path, or by the host name it was sent to."""
        path = scope["path"]
        if path.startswith(self._below) or path == self._path:
            return True
        if not self._hosts:
            return False
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        return host.lower() in self._hosts or host.lower().rpartition(b":")[0] in self._hosts

    def inner(self, path: str) -> str:
        """The path below the prefix."""
        inner = path.removeprefix(self._path)
        return inner if inner[:1] in ("", "/") else path
