"""The state file: atomic writes, locks, and Pulumi's order."""

from __future__ import annotations

import json
import os
import platform
import threading
from pathlib import Path

import pytest

from local.engine.errors import EngineError, UnsupportedError
from local.engine.state.backend import Backend, Writer, load, write_atomically
from local.engine.state.ledger import StateJournal
from local.engine.state.state import Encoder, Operation, Resource, Snapshot, decode_resource, in_dependency_order
from local.engine.state.values import Secret
from tests.unit.engine.crypter import CRYPTER


def _resource(name: str, **values: object) -> Resource:
    return Resource(urn=f"urn:pulumi:s::p::t:m:T::{name}", custom=True, type="t:m:T", **values)  # type: ignore[arg-type]


def test_a_snapshot_comes_back_as_it_was(tmp_path: Path) -> None:
    backend, encoder = Backend(tmp_path, "p", "s"), Encoder(CRYPTER)
    first = _resource("a", id="1", inputs={"s": Secret("x"), "n": 1}, custom_timeouts={"create": 1.5})
    second = _resource("b", dependencies=(first.urn,), property_dependencies={"k": (first.urn,)}, delete=True)
    snapshot = Snapshot((first, second), (Operation(first, "creating"),))
    backend.write(encoder.deployment(snapshot))
    assert load(backend, CRYPTER, Encoder(CRYPTER)) == snapshot
    assert backend.file == tmp_path / ".pulumi/stacks/p/s.json"
    assert (tmp_path / ".pulumi/meta.yaml").read_text() == "version: 1\n"


def test_ciphertexts_of_unchanged_resources_stay(tmp_path: Path) -> None:
    backend, encoder = Backend(tmp_path, "p", "s"), Encoder(CRYPTER)
    backend.write(encoder.deployment(Snapshot((_resource("a", inputs={"s": Secret("x")}),))))
    before = backend.read()["resources"]
    again = Encoder(CRYPTER)
    backend.write(again.deployment(load(backend, CRYPTER, again)))
    assert backend.read()["resources"] == before


def test_what_is_unknown_in_a_resource_is_kept_and_the_unsupported_refused() -> None:
    data = {"urn": "urn:pulumi:s::p::t:m:T::a", "custom": True, "type": "t:m:T", "sourcePosition": "here"}
    assert decode_resource(data, CRYPTER).extra == {"sourcePosition": "here"}
    with pytest.raises(UnsupportedError, match="viewOf"):
        decode_resource({**data, "viewOf": "urn"}, CRYPTER)


def test_resources_are_written_after_what_they_need() -> None:
    a, b = _resource("a"), _resource("b", parent="urn:pulumi:s::p::t:m:T::a")
    c = _resource("c", deleted_with=b.urn)
    assert in_dependency_order([c, b, a]) == [a, b, c]


def test_a_resource_needs_its_parent_its_provider_and_all_that_it_depends_on() -> None:
    provider = "urn:pulumi:s::p::pulumi:providers:x::default::0123-id"
    needing = _resource(
        "a",
        parent="urn:stack",
        provider=provider,
        deleted_with="urn:host",
        dependencies=("urn:b",),
        property_dependencies={"x": ("urn:c", "urn:d"), "y": ()},
    )
    assert needing.provider_urn == provider.removesuffix("::0123-id")
    assert needing.needs() == {"urn:stack", needing.provider_urn, "urn:host", "urn:b", "urn:c", "urn:d"}
    assert _resource("a").needs() == set()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "state.json"
    write_atomically(file, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(file, "new")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_one_run_at_a_time(tmp_path: Path) -> None:
    backend = Backend(tmp_path, "p", "s")
    with (
        backend.locked(),
        pytest.raises(EngineError, match=rf"locked(.|\n)*pid {os.getpid()}"),
        Backend(tmp_path, "p", "s").locked(),
    ):
        pass
    with Backend(tmp_path, "p", "other").locked(), backend.locked():
        pass


def test_a_lock_of_the_cli_counts_and_that_of_a_dead_process_does_not(tmp_path: Path) -> None:
    backend = Backend(tmp_path, "p", "s")
    folder = tmp_path / ".pulumi/locks/organization/p/s"
    folder.mkdir(parents=True)
    holder = {"pid": 1, "username": "u", "hostname": platform.node(), "timestamp": "t"}
    lock = folder / "x.json"
    lock.write_text(json.dumps(holder))
    with pytest.raises(EngineError, match="u@"), backend.locked():
        pass
    lock.write_text(json.dumps({**holder, "hostname": "another.example", "pid": 2**22 + 1}))
    with pytest.raises(EngineError, match=r"another\.example"), backend.locked():
        pass
    lock.write_text(json.dumps({**holder, "pid": 2**22 + 1}))
    with backend.locked():
        assert not lock.exists()
    assert list(folder.iterdir()) == []


def test_the_writer_keeps_up_with_the_ledger(tmp_path: Path) -> None:
    backend, encoder = Backend(tmp_path, "p", "s"), Encoder(CRYPTER)
    old = _resource("old")
    ledger = StateJournal(Snapshot((old,)))
    writer = Writer(backend, encoder, ledger.snapshot)
    ledger.connect(writer.offer, writer.wait)
    new = _resource("new")
    token = ledger.begin(new, "creating")
    pending = backend.read()["pending_operations"]
    assert [item["resource"]["urn"] for item in pending] == [new.urn]
    ledger.end(token, add=[new.changed(id="1")], remove=[old])
    threads = [threading.Thread(target=ledger.put, args=([_resource(f"r{n}")],)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    names = {item["urn"].rsplit("::", 1)[1] for item in backend.read()["resources"]}
    assert names == {"new", *(f"r{n}" for n in range(20))}
    assert "pending_operations" not in backend.read()


def test_a_state_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    backend = Backend(tmp_path, "p", "s")
    backend.file.parent.mkdir(parents=True)
    backend.file.mkdir()  # a directory cannot be replaced by a file
    writer = Writer(backend, Encoder(CRYPTER), Snapshot)
    with pytest.raises(EngineError, match="cannot write the state file"):
        writer.wait(writer.offer())


def test_a_damaged_state_is_one_sentence(tmp_path: Path) -> None:
    backend = Backend(tmp_path, "p", "s")
    backend.file.parent.mkdir(parents=True)
    backend.file.write_text("{")
    with pytest.raises(EngineError, match="damaged"):
        backend.read()
    backend.file.write_text('{"version": 4}')
    with pytest.raises(EngineError, match="version 4"):
        backend.read()
