"""Downloads of single files from a server on localhost."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from http_server import Server, git_id, serve_http

from spiritlm_cli.checkpoints import download as downloads
from spiritlm_cli.checkpoints.download import RefusedError, check_file, download
from spiritlm_cli.checkpoints.registry import RemoteFile
from spiritlm_cli.errors import CheckpointError

CONTENT = bytes(range(256)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(downloads, "RETRY_DELAYS", (0, 0))
    with serve_http() as server:
        server.files["/a.bin"] = CONTENT
        yield server


def remote(server: Server, sha256: str | None = SHA256, **values: object) -> RemoteFile:
    return RemoteFile(f"{server.url}/a.bin", sha256, **values)


def ranges(server: Server) -> list[str | None]:
    return [headers.get("Range") for headers in server.asked("/a.bin")]


def test_download_whole(server: Server, tmp_path: Path) -> None:
    counts: list[int] = []
    download(remote(server, size=len(CONTENT)), tmp_path / "a.bin", progress=counts.append)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    assert (counts[0], counts[-1]) == (0, len(CONTENT))


def test_a_break_is_resumed_with_a_range(server: Server, tmp_path: Path) -> None:
    server.broken["/a.bin"] = [1000, 2000]
    download(remote(server), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=1000-", "bytes=3000-"]


def test_what_arrives_on_a_slow_line_is_written_at_once(tmp_path: Path) -> None:
    arrived = threading.Event()

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2000")
            self.end_headers()
            self.wfile.write(CONTENT[:1000])
            self.wfile.flush()
            if arrived.wait(10):
                self.wfile.write(CONTENT[1000:2000])

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Slow) as http:
        threading.Thread(target=http.handle_request, daemon=True).start()
        file = RemoteFile(f"http://127.0.0.1:{http.server_address[1]}/a.bin")
        download(file, tmp_path / "a.bin", progress=lambda count: arrived.set() if count else None)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT[:2000]


def test_a_connection_that_is_reset(server: Server, tmp_path: Path) -> None:
    server.resets, server.broken["/a.bin"] = True, [1000]
    download(remote(server), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert len(server.requests) == 2


def test_a_part_that_is_complete(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    download(remote(server), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert ranges(server) == ["bytes=10240-"]
    download(remote(server, size=len(CONTENT)), tmp_path / "a.bin")


def test_a_later_run_resumes_what_is_there(server: Server, tmp_path: Path) -> None:
    server.statuses["/a.bin"] = [503, 503, 503]
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:500])
    with pytest.raises(CheckpointError, match=r"status 503 .*run this again to continue"):
        download(remote(server), tmp_path / "a.bin")
    assert (tmp_path / "a.bin.part").read_bytes() == CONTENT[:500]
    download(remote(server), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert ranges(server)[-1] == "bytes=500-"


def test_a_file_without_a_checksum_begins_anew(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(b"of another version")
    download(remote(server, None), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_server_that_ignores_ranges(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:500])
    download(remote(server), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_server_that_always_breaks_off(server: Server, tmp_path: Path) -> None:
    server.ranges, server.broken["/a.bin"] = False, [700] * 10
    with pytest.raises(CheckpointError, match=r"broke off after 700 of 10,240 bytes; run this again"):
        download(remote(server), tmp_path / "a.bin")
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    "values",
    [
        {"sha256": "0" * 64},
        {"sha256": None, "git_id": "0" * 40},
        {"sha256": SHA256, "size": 10},
        {"sha256": SHA256, "size": 20_000},
    ],
)
def test_another_file_than_expected_leaves_nothing(server: Server, tmp_path: Path, values: dict) -> None:
    with pytest.raises(CheckpointError, match=r"expected"):
        download(remote(server, **values), tmp_path / "a.bin")
    assert not (tmp_path / "a.bin").exists()


@pytest.mark.parametrize("size", [None, len(CONTENT)])
def test_a_part_of_another_version_is_replaced(server: Server, tmp_path: Path, size: int | None) -> None:
    for length in (500, len(CONTENT), len(CONTENT) + 1):
        (tmp_path / "a.bin.part").write_bytes(b"x" * length)
        download(remote(server, size=size), tmp_path / "a.bin")
        assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_a_part_of_a_wrong_file_is_removed(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:500])
    with pytest.raises(CheckpointError, match=r"SHA-256 is .* nothing is kept"):
        download(remote(server, "0" * 64), tmp_path / "a.bin")
    assert not list(tmp_path.iterdir())


def test_a_part_that_is_longer_than_the_file(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(CONTENT * 2)
    download(remote(server), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_git_id(server: Server, tmp_path: Path) -> None:
    download(remote(server, None, git_id=git_id(CONTENT)), tmp_path / "a.bin")
    check_file(tmp_path / "a.bin", remote(server, git_id=git_id(CONTENT), size=len(CONTENT)))


def test_the_token_goes_to_the_first_host_only(server: Server, tmp_path: Path) -> None:
    with serve_http() as other:
        other.files["/b.bin"] = CONTENT
        server.redirects = {"/a.bin": "/c.bin", "/c.bin": f"{other.url}/b.bin"}
        download(remote(server), tmp_path / "a.bin", token="secret")
        assert [headers.get("Authorization") for _, _, headers in server.requests] == ["Bearer secret"] * 2
        assert [headers.get("Authorization") for _, _, headers in other.requests] == [None]


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://localhost/a"])
def test_redirects_to_other_schemes_are_refused(server: Server, tmp_path: Path, target: str) -> None:
    server.redirects["/a.bin"] = target
    with pytest.raises(CheckpointError):
        download(remote(server), tmp_path / "a.bin")
    assert not list(tmp_path.glob("a.bin"))


def test_https_never_leads_to_http() -> None:
    handler = downloads._Redirects("https://a/x", "secret")
    request = downloads.urllib.request.Request("https://a/x")
    with pytest.raises(CheckpointError, match="leads to http://a/y, which is not https"):
        handler.redirect_request(request, None, 302, "", {}, "http://a/y")


@pytest.mark.parametrize("status", [401, 403])
def test_refused(server: Server, tmp_path: Path, status: int) -> None:
    server.statuses["/a.bin"] = [status]
    with pytest.raises(RefusedError) as caught:
        download(remote(server), tmp_path / "a.bin")
    assert caught.value.status == status


def test_a_missing_file_is_asked_for_once(server: Server, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"/b.bin: .* status 404 \(Not Found\); it may have moved"):
        download(RemoteFile(f"{server.url}/b.bin", SHA256), tmp_path / "b.bin")
    assert len(server.requests) == 1


def test_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "RETRY_DELAYS", (0,))
    with serve_http() as server:
        pass
    with pytest.raises(CheckpointError, match="can't be reached"):
        download(remote(server), tmp_path / "a.bin")


def test_a_server_that_is_redirected_to_refuses(server: Server, tmp_path: Path) -> None:
    with serve_http() as other:
        server.redirects["/a.bin"] = f"{other.url}/b.bin"
        other.statuses["/b.bin"] = [403]
        with pytest.raises(CheckpointError, match=r"status 403 \(Forbidden\)$") as caught:
            download(remote(server), tmp_path / "a.bin")
    assert not isinstance(caught.value, RefusedError)


def test_compressed_content_is_refused(server: Server, tmp_path: Path) -> None:
    server.headers["Content-Encoding"] = "gzip"
    with pytest.raises(CheckpointError, match=r"sends it compressed \(gzip\), which is not supported"):
        download(remote(server, None), tmp_path / "a.bin")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("length", ["9" * 15, "9" * 5000])
def test_a_length_beyond_all_files_is_refused(server: Server, tmp_path: Path, length: str) -> None:
    server.headers["Content-Length"] = length
    with pytest.raises(CheckpointError, match="more than is ever downloaded as one file"):
        download(remote(server), tmp_path / "a.bin")
