"""Downloads of single files: resumed after a break, checked by size and checksum."""

import hashlib
import http.client
import os
import shutil
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from spiritlm_cli.checkpoints.registry import RemoteFile
from spiritlm_cli.console import byte_count
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.files import check_regular, naming, sync_folder

# Seconds to wait before each new attempt in which nothing arrived.
RETRY_DELAYS: tuple[float, ...] = (1, 2, 4, 8)
TIMEOUT = 30.0
# Largest file whose size is not known beforehand. The weights of a language model are split into files of some GB.
MAX_SIZE = 200 * 10**9

_BLOCK = 1 << 20
_GONE = (404, 410)
_TRANSIENT = (408, 429, 500, 502, 503, 504)

Progress = Callable[[int], None]


class RefusedError(CheckpointError):
    """A server's answer that the file is not given to this user. status: of HTTP, 401 or 403."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def download(
    file: RemoteFile, target: Path, *, token: str | None = None, progress: Progress = lambda count: None
) -> None:
    """Download a file to `target`, whose folder exists.

    What has arrived is in `TARGET.part`. After a break it is continued from there, if the file has a checksum by which
    the whole can be checked; otherwise, or if the whole is wrong, it begins anew. token: is sent to the URL's own host
    only, and not to another one that it redirects to. progress: is told how many bytes of the file are here.
    Raises RefusedError if the server refuses the user, and CheckpointError if the file can't be downloaded, or is
    another than expected: then nothing is kept of it.
    """
    part = target.with_name(f"{target.name}.part")
    if not (file.sha256 or file.git_id):
        part.unlink(missing_ok=True)
    begun = _size(part) > 0
    _fetch_all(file, part, token, progress)
    try:
        check_file(part, file)
    except CheckpointError as error:
        part.unlink()
        if begun:  # with an older version of the file
            return download(file, target, token=token, progress=progress)
        raise CheckpointError(
            f"{file.url}: {str(error).removeprefix(f'{part}: ')}; nothing is kept"
        ) from error
    with part.open("rb") as content:
        os.fsync(content.fileno())
    part.replace(target)
    return sync_folder(target.parent)


def check_file(path: Path, file: RemoteFile) -> None:
    """Raise CheckpointError unless a file has the size and the checksum of `file`, as far as they are known."""
    check_regular(path, CheckpointError)
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        raise CheckpointError(f"{path}: has {size:,} bytes, expected {file.size:,}")
    checks = [("SHA-256", hashlib.sha256(), file.sha256)]
    # git hashes the size before the content.
    checks += [("git id", hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False), file.git_id)]
    for name, digest, expected in checks:
        if expected is None:
            continue
        with path.open("rb") as content:
            while block := content.read(_BLOCK):
                digest.update(block)
        if digest.hexdigest() != expected:
            raise CheckpointError(f"{path}: its {name} is {digest.hexdigest()}, expected {expected}")


def check_room(folder: Path, needed: int, what: str) -> None:
    """Raise CheckpointError if the disk of a folder has no room for this many bytes. what: is to go there."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise CheckpointError(
            f"{what}: takes {byte_count(needed)} more, and the disk of {folder} has {byte_count(free)}; "
            "set SPIRITLM_HOME to a folder with room"
        )


def _fetch_all(file: RemoteFile, part: Path, token: str | None, progress: Progress) -> None:
    """Fetch what is missing of a file to `part`, in as many attempts as bring something, and a few that don't."""
    failures = 0
    while True:
        before = _size(part)
        progress(before)
        if file.size is not None and before >= file.size:
            return  # complete, or too large, which the check of the whole finds
        try:
            _fetch(file, part, token, progress)
            return
        except (OSError, http.client.HTTPException, EOFError) as error:
            reason = _reason(error)
            if not _is_transient(error):
                gone = isinstance(error, urllib.error.HTTPError) and error.code in _GONE
                advice = "; it may have moved: the page of the model says where it is" if gone else ""
                raise CheckpointError(f"{file.url}: {reason}{advice}") from error
            failures = 0 if _size(part) > before else failures + 1
            if failures > len(RETRY_DELAYS):
                again = "to continue where it broke off" if _size(part) else "later"
                raise CheckpointError(f"{file.url}: {reason}; run this again {again}") from error
        if failures:
            threading.Event().wait(RETRY_DELAYS[failures - 1])


def _fetch(file: RemoteFile, part: Path, token: str | None, progress: Progress) -> None:
    """Fetch the rest of a file in one request. Raises EOFError for an answer after which another is tried."""
    start = _size(part)
    request = urllib.request.Request(file.url, headers={"User-Agent": "spiritlm"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    if token:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    opener = urllib.request.build_opener(_Redirects(file.url, token))
    try:
        response = opener.open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        headers = error.headers
        error.close()
        # another server that it redirects to knows nothing of the user
        is_first = urlsplit(error.url).netloc == urlsplit(file.url).netloc
        if is_first and error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise RefusedError(f"{file.url}: {_reason(error)}", error.code) from error
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            if headers.get("Content-Range") == f"bytes */{start}":
                return  # all of it is here
            part.unlink()  # it is longer than the file: begun with another one
            raise EOFError("the server has another file than before") from None
        raise
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        response.close()
        raise CheckpointError(
            f"{file.url}: the server sends it compressed ({encoding}), which is not supported"
        )
    with response, part.open("ab") as output:
        if response.status != HTTPStatus.PARTIAL_CONTENT or not _continues(response, start):
            output.truncate(0)
            start = 0
            progress(start)
        _copy(response, output, file, start, progress)


def _continues(response: Any, start: int) -> bool:
    """Whether a partial answer begins at byte `start`. Raises EOFError for one that begins elsewhere."""
    if not str(response.headers.get("Content-Range", "")).startswith(f"bytes {start}-"):
        raise EOFError("the server sent another part of the file than it was asked for")
    return True


def _copy(response: Any, output: BinaryIO, file: RemoteFile, start: int, progress: Progress) -> None:
    """Append an answer to a file that has `start` bytes. Raises EOFError if less arrives than the server said."""
    length = response.headers.get("Content-Length", "")
    # more digits are more bytes than MAX_SIZE as well, and Python refuses to convert thousands of them
    total = start + int(length[:20]) if length.isdecimal() else None
    expected = file.size if file.size is not None else total
    if total is not None and expected is not None and total != expected:
        raise CheckpointError(f"{file.url}: the server has {total:,} bytes, expected {expected:,}")
    limit = MAX_SIZE if expected is None else expected
    if limit > MAX_SIZE:
        raise CheckpointError(f"{file.url}: has {limit:,} bytes, more than is ever downloaded as one file")
    check_room(Path(output.name).parent, (expected or 0) - start, file.url)
    count = start
    while block := response.read1(_BLOCK):  # what has arrived, so that a break loses nothing of it
        count += len(block)
        if count > limit:
            raise CheckpointError(f"{file.url}: the server sends more than {limit:,} bytes")
        with naming(output.name):  # errors without a name are those of the network
            output.write(block)
            output.flush()
        progress(count)
    if expected is not None and count < expected:
        raise EOFError(f"it broke off after {count:,} of {expected:,} bytes")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https, and gives the token to the same host only."""

    def __init__(self, url: str, token: str | None) -> None:
        self._origin, self._token = urlsplit(url), token

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """Return the request for the new address. Raises CheckpointError if it is not encrypted any more."""
        new = urlsplit(newurl)
        # http is for servers of one's own, which begin with it.
        if new.scheme != "https" and (new.scheme, self._origin.scheme) != ("http", "http"):
            raise CheckpointError(f"{self._origin.geturl()}: leads to {newurl}, which is not https")
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        same = (new.scheme, new.netloc) == (self._origin.scheme, self._origin.netloc)
        if request and self._token and same:
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        return request


def _is_transient(error: BaseException) -> bool:
    """Whether the same request may succeed later."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code in _TRANSIENT
    if isinstance(error, urllib.error.URLError):
        return isinstance(error.reason, OSError) and not isinstance(error.reason, ssl.SSLError)
    # An OSError with the name of a file is about the disk.
    return not isinstance(error, OSError) or error.filename is None


def _reason(error: BaseException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        phrase = ""
        with suppress(ValueError):
            phrase = f" ({HTTPStatus(error.code).phrase})"
        return f"the server answers with status {error.code}{phrase}"
    if isinstance(error, urllib.error.URLError):
        return f"can't be reached ({error.reason})"
    return str(error) or type(error).__name__


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
