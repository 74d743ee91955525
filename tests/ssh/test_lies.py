"""A host that lies: whatever it answers, the only result is an error that names it, and what is recorded of it can be
shown, corrected and undone.

A round is every operation of one chapter, as the engine calls it, with one kind of lie. STOCKADE_LIES: the number of
rounds for each chapter and kind; `make test-lies` runs more.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from random import Random
from types import SimpleNamespace
from typing import Any

import asyncssh
import grpc
import pytest
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2 as proto

from components.core import stored
from components.core.chapter import Chapter
from components.core.claims import CLAIMS
from components.host import HardenedHost
from components.registry import Hardening
from hosts.guard.record import Machine, Owner
from hosts.pool import connection_pool
from hosts.scripts import script
from hosts.shell import replay
from hosts.ssh.guesses import Guesses
from hosts.text.masking import printable
from provider.server import Server as Provider
from provider.server import answering
from provider.structs import struct_of
from tests.ssh.conftest import private, public
from tests.ssh.ghost import LIES, Ghost, Lie, section
from tests.ssh.server import Behaviour, Server, serving
from tests.unit.components.config.test_host import declared, plain

ROUNDS = int(os.environ.get("STOCKADE_LIES", "2"))
SECONDS = 40
"""Maximum CPU time of one operation, which may have to parse a megabyte of anything."""
LONGEST = 10_000
TIMEOUTS = count(30, 0.001)
"""The pool has a connection for each, so that no run finds what another one knows of its host."""
CLAIM = "c" * 32
SUDO = "TOPSECRET-SUDO"
MOST = {"users": [{"name": "deploy"}], "sshd": {}, "fail2ban": {}, "updates": {}, "listeners": {}, "sysctl": {}}
PROGRAMS: tuple[dict[str, Any], ...] = (
    {**MOST, "firewall": {}, "timeSync": {"daemon": "chrony"}, "upgrade": {"trigger": "1"}},
    {"firewall": {"ipv6Mode": "reject"}},
    {"firewall": {"keep": "ufw"}},
)
SSHD = b"".join(
    section(name, text)
    for name, text in {
        "version": b"OpenSSH_9.2p1 Debian-2+deb12u3, OpenSSL 3.0.15 3 Sep 2024\n",
        "wanted": b"port 22\npasswordauthentication no\npermitrootlogin no\nkbdinteractiveauthentication no\n",
        "root": b"port 22\npasswordauthentication yes\npermitrootlogin yes\nkbdinteractiveauthentication no\n",
        "ours": b"PermitRootLogin no\n",
    }.items()
)
FAULT = "This is a fault in Stockade"


def resources() -> dict[str, dict[str, Any]]:
    """The inputs of a resource of each type, by the type's name."""
    found: dict[str, dict[str, Any]] = {}
    for wanted in PROGRAMS:
        program = Hardening.model_validate(wanted)
        inputs = declared(
            lambda wanted=program: HardenedHost("web1", wanted=wanted), hosts={"web1": {"address": "::1"}}
        )
        for name, props in inputs.items():
            found.setdefault(name.partition(" ")[0], plain(props))
    return found


@dataclass
class Refused(Exception):  # noqa: N818
    message: str


class Context:
    """The call's context, with which the provider aborts it."""

    def abort(self, _code: grpc.StatusCode, message: str) -> None:
        raise Refused(message)

    def set_trailing_metadata(self, _metadata: Any) -> None:
        pass


class Importing(Provider):
    """The provider, which can also be asked to import, as the package's can."""

    @answering
    def Import(self, request: Any) -> Any:
        """Make a state of what the host has."""
        provider: Any = self._provider(request, request.inputs)
        connection = rpc.deserialize_properties(request.inputs)["connection"]
        provider.host_to_import = lambda name: provider._ways.host(name, connection)
        result = provider.take(request.id, record=True, refuse=False)
        return proto.ReadResponse(id=result.id, properties=struct_of(result.outs or {}))


@dataclass
class Resource:
    """A resource of the stack, as the engine sees it."""

    kind: str
    inputs: dict[str, Any]
    chapter: Chapter[Any, Any]
    provider: Provider
    ghost: Ghost

    def new_run(self) -> "Resource":
        """The same in another run, with its own connection and no memory."""
        CLAIMS.__init__()  # type: ignore[misc]
        connection_pool()._guesses = Guesses()
        inputs = {**self.inputs, "connection": {**self.inputs["connection"], "connectTimeout": next(TIMEOUTS)}}
        return replace(self, inputs=inputs)

    def at(self, state: dict[str, Any]) -> dict[str, Any]:
        """`state`, reached as in this run."""
        return {**state, "connection": self.inputs["connection"]}

    def call(self, verb: str, **what: Any) -> Any:
        """Call the provider; raises `Refused` if it aborts the call."""
        urn = f"urn:pulumi:test::shop::{self.kind}::web1"
        structs = {name: _struct(value) if isinstance(value, dict) else value for name, value in what.items()}
        request = getattr(proto, "ReadRequest" if verb == "Import" else f"{verb}Request")(urn=urn, **structs)
        return getattr(self.provider, verb)(request, Context())

    @property
    def model(self) -> Any:
        """The inputs, parsed."""
        return self.chapter.inputs.model_validate(stored.inputs_of(self.inputs))

    def state(self) -> dict[str, Any]:
        """The state right after it was created on the host as it is."""
        facts = self.facts()
        outs = stored.outs(self.model, facts, facts, CLAIM, Machine())
        return {**outs, stored.REFERENCE: self.inputs[stored.REFERENCE], "connection": self.inputs["connection"]}

    def facts(self) -> Any:
        """The true facts of the host."""
        look = self.chapter.observe(self.model)
        mark = "f" * 32
        stream = self.ghost.look(look).replace(b"@nonce@", mark.encode())
        return self.chapter.parse(self.model, replay(mark, stream + f"\n{mark} Z\n".encode()))


def _struct(props: dict[str, Any]) -> Struct:
    return _sent(rpc.serialize_properties(props, {}))


def _sent(work: Any) -> Any:
    try:
        work.send(None)
    except StopIteration as ended:
        return ended.value
    raise TypeError("it waits for something")


@pytest.fixture(scope="module")
def ghostly() -> Iterator[Server]:
    key, own = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    with serving(Behaviour(keys={"root": public(own)}, ghost=Ghost()), [key]) as server:
        server.own_key = private(own)  # type: ignore[attr-defined]
        yield server
    connection_pool().close()


RESOURCES = resources()


@pytest.fixture(params=sorted(RESOURCES))
def resource(request: pytest.FixtureRequest, ghostly: Server) -> Resource:
    login = {
        "host": "127.0.0.1",
        "port": ghostly.port,
        "user": "root",
        "privateKey": ghostly.own_key,  # type: ignore[attr-defined]
        "hostKey": ghostly.host_key_line(),
        "sudoPassword": SUDO,
    }
    props = {**RESOURCES[request.param], "connection": {"admin": login, "connectTimeout": 30}}
    provider = Importing()
    chapter = provider._provider(  # the one that the resource refers to
        SimpleNamespace(urn="urn:pulumi:test::shop::x::y"), _struct(props)
    ).chapter  # type: ignore[attr-defined]
    model = chapter.inputs.model_validate(stored.inputs_of(props))
    ghost = Ghost()
    ghost.knows(chapter, [model])
    ghost.owners = {chapter.title(model): Owner(CLAIM, "shop", "test", f"{request.param}::web1").text()}
    ghost.told[script("components/sshd/observe.sh")] = SSHD
    ghostly.behaviour.ghost = ghost
    return Resource(request.param, props, chapter, provider, ghost)


def tried(resource: Resource, verb: str, **what: Any) -> Any:
    """Call the provider; it must return an answer or a readable message in bounded time."""
    since = time.process_time()
    try:
        return resource.call(verb, **what)
    except Refused as error:
        told = error.message
    finally:
        assert time.process_time() - since < SECONDS
    assert FAULT not in told, told
    assert "web1" in told
    assert SUDO not in told
    assert "PRIVATE KEY" not in told
    assert len(told) < LONGEST
    assert printable(told) == told
    return None


def one_round(resource: Resource, before: dict[str, Any], lie: Lie) -> Resource:
    """Every operation with a lie, then again with the truth on what was recorded."""
    ghost = resource.ghost
    ghost.lie = lie
    run = resource.new_run()
    tried(run, "Create", properties=run.inputs)
    tried(run, "Update", id="web1", olds=run.at(before), news=run.inputs)
    run = run.new_run()
    tried(run, "Delete", id="web1", properties=run.at(before))
    run = run.new_run()
    read = tried(run, "Read", id="web1", properties=run.at(before), inputs=run.inputs)
    run = run.new_run()
    imported = tried(run, "Import", id=f"web1/{run.chapter.title(run.model)}", inputs=run.inputs)
    ghost.lie = None
    for answer in (imported, read):
        if answer is None or not answer.id:
            continue
        run, found = run.new_run(), rpc.deserialize_properties(answer.properties)
        found |= {stored.REFERENCE: run.inputs[stored.REFERENCE]}
        tried(run, "Diff", id="web1", olds=run.at(found), news=run.inputs)
        tried(run, "Update", id="web1", olds=run.at(found), news=run.inputs)
        run = run.new_run()
        tried(run, "Delete", id="web1", properties=run.at(found))
        run = run.new_run()
        again = run.call("Read", id="web1", properties=run.at(found), inputs=run.inputs)
        if answer is read:
            assert _inputs(again) == _inputs(run.call("Read", id="web1", properties=run.at(before), inputs=run.inputs))
    return run


@pytest.mark.parametrize("lie", sorted(LIES))
def test_no_lie_is_more_than_an_error_or_a_drift(resource: Resource, lie: str) -> None:
    before = resource.state()
    for number in range(ROUNDS):
        resource.ghost.chance = Random(f"{resource.kind} {lie} {number}")
        resource = one_round(resource, before, LIES[lie])
    assert resource.ghost.asked > ROUNDS


def _inputs(read: Any) -> dict[str, Any]:
    assert read.id
    return {key: value for key, value in rpc.deserialize_properties(read.inputs).items() if key != "connection"}
