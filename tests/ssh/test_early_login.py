"""The connection to a host that will be read is opened while the provider process still imports its chapters."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime import proto

import hosts.pool
import provider.chapters
from hosts.errors import Unreachable
from hosts.pool import Pool
from hosts.shell import Script
from hosts.ssh.connection import Connection, HostAccess
from provider.chapters import Chapters
from tests.ssh.server import Server

LIMIT = 20


@pytest.fixture
def importing(monkeypatch: pytest.MonkeyPatch, pool: Pool) -> Iterator[threading.Event]:
    """An event that ends the import of the chapters: there are many, and each takes a moment."""
    go_on = threading.Event()
    monkeypatch.setattr(provider.chapters, "CHAPTERS", ("any",) * (100 * LIMIT))
    monkeypatch.setattr(provider.chapters, "load_chapter", lambda _name: go_on.wait(0.01))
    monkeypatch.setattr(hosts.pool, "_pool", pool)
    yield go_on
    go_on.set()


def _read(host: str, connection: Connection | None) -> Any:
    props: dict[str, Any] = {"host": host, "observed": {"a": 1}}
    if connection:
        login = connection.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)
        secrets = {name: value.get_secret_value() for name, value in login.items() if name == "privateKey"}
        props["connection"] = {"admin": {**login, **secrets}, "connectTimeout": 5}
    struct = Struct()
    struct.update(props)
    return proto.ReadRequest(properties=struct)


def test_a_read_connects_at_once_and_waits_for_the_chapters(
    importing: threading.Event, pool: Pool, server: Server, connection: Connection
) -> None:
    chapters = Chapters()
    chapters.load()
    request = _read("web1", connection)
    reads = [threading.Thread(target=chapters.wait, args=["Read", request, {}], daemon=True) for _ in range(3)]
    for read in reads:
        read.start()
    limit = time.monotonic() + LIMIT
    while not server.logins:
        assert time.monotonic() < limit, "nobody has logged in"
        time.sleep(0.01)
    host = pool.host(HostAccess(name="web1", admin=connection, connect_timeout=5))
    assert host.connect() == "admin"
    assert host.handshakes == 1
    assert all(read.is_alive() for read in reads)
    importing.set()
    for read in reads:
        read.join(LIMIT)
    assert not any(read.is_alive() for read in reads)
    host.run(Script("look", ":", timeout=5))
    assert host.handshakes == 1


@pytest.mark.parametrize(("operation", "connection_known"), [("Create", True), ("Diff", True), ("Read", False)])
def test_nothing_else_touches_a_host(
    importing: threading.Event, pool: Pool, connection: Connection, operation: str, connection_known: bool
) -> None:
    chapters = Chapters()
    chapters.load()
    request = _read("web1", connection if connection_known else None)
    waiting = threading.Thread(target=chapters.wait, args=[operation, request, {}], daemon=True)
    waiting.start()
    importing.set()
    waiting.join(LIMIT)
    assert not waiting.is_alive()
    assert pool.host(HostAccess(name="web1", admin=connection, connect_timeout=5)).handshakes == 0


def test_a_host_that_does_not_answer_is_told_by_what_asks(
    importing: threading.Event, pool: Pool, connection: Connection
) -> None:
    chapters = Chapters()
    chapters.load()
    importing.set()
    closed = connection.model_copy(update={"port": 1})
    chapters.wait("Read", _read("gone", closed), {})  # raises nothing
    with pytest.raises(Unreachable):
        pool.host(HostAccess(name="gone", admin=closed, connect_timeout=1)).connect()


def test_a_chapter_that_cannot_be_imported_keeps_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch, importing: threading.Event, connection: Connection
) -> None:
    def load(_name: str) -> None:
        importing.wait(LIMIT)
        raise ImportError("broken")

    monkeypatch.setattr(provider.chapters, "load_chapter", load)
    monkeypatch.setattr(threading, "excepthook", lambda _told: None)
    chapters = Chapters()
    chapters.load()
    reading = threading.Thread(target=chapters.wait, args=["Read", _read("web1", connection), {}], daemon=True)
    reading.start()
    importing.set()
    reading.join(LIMIT)
    assert not reading.is_alive()
