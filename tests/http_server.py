"""A server on localhost that answers as a plain server and as the Hub do, for tests of downloads."""

import hashlib
import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789" * 4


@dataclass
class Server:
    """What a server has, and what it was asked.

    files: by path, such as `/a.bin`. repositories: files of repositories of the Hub, by repository and name; large
    files of `large`, which the Hub keeps by SHA-256, are redirected to `store`. gated: repositories for the token
    `secret` alone. broken: for a path, how many bytes are sent before the connection is closed, once for each item.
    statuses: for a path, statuses that are answered first. redirects: from a path to another URL. headers: of all
    answers, in place of others. ranges: whether Range is honored. resets: whether a connection that is closed early is
    reset. requests: (method, path, headers) in order.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    broken: dict[str, list[int]] = field(default_factory=dict)
    statuses: dict[str, list[int]] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    resets: bool = False
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def asked(self, path: str) -> list[dict[str, str]]:
        """The headers of the requests for the content of a path."""
        return [headers for method, asked, headers in self.requests if (method, asked) == ("GET", path)]

    def tree(self, repository: str) -> list[dict[str, Any]]:
        """The list of a repository's files as the Hub gives it; weights are large files."""
        entries = []
        for name, content in self.repositories[repository].items():
            entry = {"type": "file", "path": name, "size": len(content), "oid": git_id(content)}
            if name.endswith((".safetensors", ".bin", ".pt")):
                sha256 = hashlib.sha256(content).hexdigest()
                entry |= {"oid": "0" * 40, "lfs": {"oid": sha256, "size": len(content), "pointerSize": 134}}
            entries.append(entry)
        return entries


def git_id(content: bytes) -> str:
    """The SHA-1 of a file as git computes it."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def serve_http() -> Iterator[Server]:
    """Run a server in a thread."""
    server = Server()

    class Handler(_Handler):
        state = server

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server.url = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        http.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    state: Server

    def log_message(self, *arguments: Any) -> None:
        """Print nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        state, path = self.state, unquote(urlsplit(self.path).path)
        state.requests.append((self.command, path, dict(self.headers)))
        if state.statuses.get(path):
            self._answer(state.statuses[path].pop(0))
        elif path in state.redirects:
            self._answer(302, headers={"Location": state.redirects[path]})
        elif path in state.files:
            self._send(path, state.files[path])
        else:
            self._hub(path)

    def _hub(self, path: str) -> None:
        for repository, files in self.state.repositories.items():
            api = f"/api/models/{repository}"
            if path in (api, f"{api}/revision/main", f"{api}/revision/{COMMIT}"):
                return self._json({"id": repository, "sha": COMMIT, "siblings": []})
            if path == f"{api}/tree/{COMMIT}":
                return self._json(self.state.tree(repository))
            prefix = f"/{repository}/resolve/{COMMIT}/"
            if path.startswith(prefix) and path.removeprefix(prefix) in files:
                secret = self.headers.get("Authorization") == "Bearer secret"
                if repository in self.state.gated and not secret:
                    return self._answer(401, headers={"X-Error-Code": "GatedRepo"})
                content = files[path.removeprefix(prefix)]
                return self._send(path, content, {"X-Repo-Commit": COMMIT, "ETag": f'"{git_id(content)}"'})
            if path.startswith(f"{api}/revision/"):
                return self._answer(404, headers={"X-Error-Code": "RevisionNotFound"})
        return self._answer(404, headers={"X-Error-Code": "RepoNotFound"})

    def _json(self, value: Any) -> None:
        self._answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, path: str, content: bytes, headers: dict[str, str] | None = None) -> None:
        headers, status, whole = dict(headers or {}), 200, content
        start = self.headers.get("Range", "").removeprefix("bytes=").removesuffix("-")
        if start and self.state.ranges:
            if int(start) >= len(whole):
                return self._answer(416, headers={"Content-Range": f"bytes */{len(whole)}"})
            status, content = 206, whole[int(start) :]
            headers["Content-Range"] = f"bytes {start}-{len(whole) - 1}/{len(whole)}"
        cuts = self.state.broken.get(path) if self.command == "GET" else None
        return self._answer(status, content, headers, cuts.pop(0) if cuts else None)

    def _answer(
        self,
        status: int,
        content: bytes = b"",
        headers: dict[str, str] | None = None,
        cut: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Length": str(len(content)),
            **(headers or {}),
            **self.state.headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[:cut])
        if cut is not None and self.state.resets:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        self.close_connection = True
