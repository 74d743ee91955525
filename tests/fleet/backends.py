"""Backends for tests: a PostgreSQL server, if its programs are installed, and an S3 server in this process."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

LIMIT = 60.0


def postgres_programs() -> Path | None:
    """The directory of `initdb` and `postgres`; None if they are not installed."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((folder for folder in reversed(folders) if (folder / "postgres").is_file()), None)


@contextmanager
def postgres(programs: Path) -> Iterator[str]:
    """Run a PostgreSQL server during a block; yields the URL for `PULUMI_BACKEND_URL`."""
    # it refuses to run as root
    user = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
    with tempfile.TemporaryDirectory(prefix="stockade-postgres-", ignore_cleanup_errors=True) as folder:
        os.chown(folder, user.pw_uid, user.pw_gid)
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
        data = f"{folder}/data"
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "pulumi", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"],
            cwd=folder,
            check=True,
            capture_output=True,
            **who,  # type: ignore[call-overload]
        )
        port = _free_port()
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, "-k", folder, "-p", str(port), "-h", "127.0.0.1", "-F"],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **who,  # type: ignore[call-overload]
        )
        try:
            _wait_for(port, server)
            yield f"postgres://pulumi@127.0.0.1:{port}/postgres?sslmode=disable"
        finally:
            server.terminate()
            server.wait(LIMIT)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + LIMIT
    while server.poll() is None and time.monotonic() < limit:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("PostgreSQL did not start")


@contextmanager
def object_storage() -> Iterator[str]:
    """Run an S3 server during a block; yields the URL for `PULUMI_BACKEND_URL`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _S3)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        place = f"http://127.0.0.1:{server.server_address[1]}"
        yield f"s3://states?region=us-east-1&endpoint={place}&use_path_style=true"
    finally:
        server.shutdown()
        server.server_close()


class _S3(BaseHTTPRequestHandler):
    """The part of S3 that Pulumi uses: objects of one bucket by path, listed with prefix and delimiter. Signatures are
    ignored."""

    protocol_version = "HTTP/1.1"
    objects: dict[str, tuple[bytes, float]] = {}
    lock = threading.Lock()

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    @property
    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).partition("/")[2].partition("/")[2]

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _missing(self) -> None:
        self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>", Content_Type="application/xml")

    def do_GET(self) -> None:
        """An object, or the list of objects."""
        query = {
            name: values[0] for name, values in parse_qs(urlsplit(self.path).query, keep_blank_values=True).items()
        }
        if not self._key:
            self._list(query)
            return
        with self.lock:
            found = self.objects.get(self._key)
        if found is None:
            self._missing()
            return
        body, when = found
        size = {"X_Size": str(len(body))}
        date = formatdate(when, usegmt=True)
        self._answer(200, body, Last_Modified=date, ETag=_etag(body), Content_Type="application/json", **size)

    do_HEAD = do_GET  # noqa: N815

    def do_PUT(self) -> None:
        """Store an object, or a copy of another."""
        source = self.headers.get("x-amz-copy-source")
        with self.lock:
            if source:
                other = unquote(source).lstrip("/").partition("/")[2]
                if other not in self.objects:
                    self._missing()
                    return
                body = self.objects[other][0]
            else:
                body = self._body()
            self.objects[self._key] = (body, time.time())
        told = f"<CopyObjectResult><ETag>{_etag(body)}</ETag></CopyObjectResult>".encode() if source else b""
        self._answer(200, told, ETag=_etag(body), Content_Type="application/xml")

    def do_DELETE(self) -> None:
        """Delete an object."""
        with self.lock:
            self.objects.pop(self._key, None)
        self._answer(204)

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "aws-chunked" not in self.headers.get("Content-Encoding", ""):
            return body
        out = b""
        while body:
            head, _, body = body.partition(b"\r\n")
            size = int(head.partition(b";")[0] or b"0", 16)
            if not size:
                break
            out, body = out + body[:size], body[size + 2 :]
        return out

    def _list(self, query: dict[str, str]) -> None:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        contents, folders = [], set()
        with self.lock:
            for key, (body, when) in sorted(self.objects.items()):
                if not key.startswith(prefix):
                    continue
                rest = key[len(prefix) :]
                if delimiter and delimiter in rest:
                    folders.add(prefix + rest.partition(delimiter)[0] + delimiter)
                    continue
                stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(when))
                contents.append(
                    f"<Contents><Key>{escape(key)}</Key><LastModified>{stamp}</LastModified>"
                    f"<ETag>{escape(_etag(body))}</ETag><Size>{len(body)}</Size></Contents>"
                )
        common = "".join(
            f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in sorted(folders)
        )
        told = (
            '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>states</Name>'
            f"<Prefix>{escape(prefix)}</Prefix><KeyCount>{len(contents) + len(folders)}</KeyCount>"
            "<MaxKeys>1000</MaxKeys>"
            f"<IsTruncated>false</IsTruncated>{''.join(contents)}{common}</ListBucketResult>"
        )
        self._answer(200, told.encode(), Content_Type="application/xml")


def _etag(body: bytes) -> str:
    return f'"{md5(body, usedforsecurity=False).hexdigest()}"'
