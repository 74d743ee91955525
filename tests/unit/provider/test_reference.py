"""The provider process's handling of `__provider`, and of callers: any user of the machine can reach its port."""

from __future__ import annotations

import base64
import importlib
import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.proto import provider_pb2_grpc

from components.failure import Failure
from provider import reference
from provider.peers import OnlyOurs
from provider.reference import OWN, load, named
from provider.server import Server

REPOSITORY = Path(__file__).parents[3]
RAN: list[str] = []
REFUSED = "has not been run"
CALLER = """
import os, sys, grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2_grpc
if sys.argv[2] != "0":
    os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
stub = provider_pb2_grpc.ResourceProviderStub(grpc.insecure_channel("127.0.0.1:" + sys.argv[1]))
try:
    stub.Cancel(Empty(), timeout=120)
    print("answered")
except grpc.RpcError as error:
    print(error.code().name, error.details())
"""


def ran(text: str) -> str:
    """Called by an attack."""
    RAN.append(text)
    return text


class Reduced:
    """A pickle that calls a function."""

    def __init__(self, call: Callable[..., object], *args: object) -> None:
        self._call, self._args = call, args

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self._call, self._args


def _text(word: str) -> bytes:
    return b"\x8c" + struct.pack("B", len(word)) + word.encode()


def _instance(module: str, name: str, more: bytes = b"") -> bytes:
    """The SDK's pickle of an instance of a class, with additional content before its end."""
    return b"\x80\x04" + _text(module) + b"\x94" + _text(name) + b"\x94\x93\x94)\x81\x94" + more + b"."


HERE = __name__
SSHD = "components.sshd.resource"
ATTACKS = {
    "reduce": pickle.dumps(Reduced(ran, "reduce")),
    "os.system": pickle.dumps(Reduced(os.system, "touch {file}"), protocol=0),
    "nested": pickle.dumps({"a": [Reduced(eval, f"__import__('{HERE}').ran('nested')")]}),
    "getattr": pickle.dumps(Reduced(getattr, Reduced(importlib.import_module, HERE), "ran")),
    "inst": f"(Vinst\ni{HERE}\nran\n.".encode(),
    "global": f"c{HERE}\nran\n(Vglobal\ntR.".encode(),
    "obj": f"(c{HERE}\nran\nVobj\no.".encode(),
    "instance of ours, called beside": _instance(SSHD, "SshdProvider", pickle.dumps(Reduced(ran, "x"))[2:-1]),
    "instance of ours, then state": _instance(SSHD, "SshdProvider", b"}" + _text("chapter") + b"Nsb"),
    "two ends": _instance(SSHD, "SshdProvider") + pickle.dumps(Reduced(ran, "after")),
    "a class itself": b"\x80\x04" + _text(SSHD) + _text("SshdProvider") + b"\x93.",
    "another module": _instance("subprocess", "Popen"),
    "no provider": _instance(SSHD, "Sshd"),
    "one that it only uses": _instance(SSHD, "HostProvider"),
    "a part of one": _instance(SSHD, "SshdProvider.check"),
    "a module of ours without one": _instance("components.core.dynamic", "HostProvider"),
    "a test of ours": _instance("tests.unit.provider.test_reference", "Reduced"),
    "the process itself": _instance("__main__", "Server"),
    "a path": _instance("../../etc/passwd", "X"),
    "extension": b"\x80\x02\x82\x01.",
    "persistent": b"Vx\nQ.",
    "nothing": b"",
    "noise": b"\xff" * 200,
}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The provider's server, as in its own process."""
    callers = OnlyOurs()
    server = grpc.server(ThreadPoolExecutor(max_workers=4), interceptors=[callers])
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Server(), server)
    callers.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield callers.port
    server.stop(grace=None)


@pytest.mark.parametrize("operation", ["Create", "Check", "Delete"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_but_a_provider_of_ours_is_run(port: int, attack: str, operation: str, tmp_path: Path) -> None:
    file = tmp_path / "ran"
    RAN.clear()
    pickled = ATTACKS[attack].replace(b"touch {file}", b"touch " + str(file).encode())
    props = Struct()
    props["__provider"] = base64.b64encode(pickled).decode()
    urn = "urn:pulumi:x::y::a:b:C::n"
    request = {
        "Create": pb.CreateRequest(urn=urn, properties=props),
        "Check": pb.CheckRequest(urn=urn, news=props),
        "Delete": pb.DeleteRequest(id="x", urn=urn, properties=props),
    }[operation]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, pytest.raises(grpc.RpcError) as refused:
        getattr(provider_pb2_grpc.ResourceProviderStub(channel), operation)(request, timeout=120)
    details = str(refused.value.details())
    assert "\n" not in details
    assert "fault in Stockade" not in details
    assert REFUSED in details or "cannot be imported" in details or "is not found" in details
    assert not RAN
    assert not file.exists()


_WORDS = st.sampled_from(["os", "system", "builtins", "eval", SSHD, "SshdProvider", HERE, "ran", "x"])
_PIECES = st.one_of(
    _WORDS.map(_text),
    st.tuples(_WORDS, _WORDS).map(lambda pair: f"c{pair[0]}\n{pair[1]}\n".encode()),
    st.tuples(_WORDS, _WORDS).map(lambda pair: f"i{pair[0]}\n{pair[1]}\n".encode()),
    st.sampled_from([b"(", b"R", b"o", b"b", b"\x93", b"\x81", b"\x92", b")", b"t", b"\x85", b"\x94", b"h\x00", b"N"]),
    st.sampled_from([b"}", b"]", b"s", b"u", b"0", b"2", b"\x80\x04", b"\x82\x01", b"Q", b"."]),
    st.binary(max_size=4),
)


@given(st.lists(_PIECES, max_size=14).map(b"".join), st.booleans())
def test_a_generated_pickle_names_a_class_or_is_refused(body: bytes, ours_first: bool) -> None:
    RAN.clear()
    pickled = (_instance(SSHD, "SshdProvider")[:-1] if ours_first else b"\x80\x04") + body + b"."
    try:
        provider = load(base64.b64encode(pickled).decode())
    except Failure:
        provider = None
    assert not RAN
    assert provider is None or type(provider).__module__ in OWN


@given(st.text(max_size=60))
def test_a_reference_that_is_no_base64_is_refused(text: str) -> None:
    with pytest.raises(Failure):
        named(text)


def test_every_provider_of_ours_is_named_as_the_sdk_writes_it() -> None:
    found = 0
    for module in OWN:
        for name, class_ in vars(importlib.import_module(module)).items():
            if name.endswith("Provider") and class_.__module__ == module:
                found += 1
                assert named(serialize_provider(class_())) == (module, name)
                assert type(load(serialize_provider(class_()))) is class_
    assert found == len(OWN)


def _own(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, name: str) -> str:
    (folder / f"{name}.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.syspath_prepend(str(folder))
    return base64.b64encode(_instance(name, "Mine")).decode()


def test_a_class_of_the_program_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "from pulumi.dynamic import ResourceProvider\nclass Mine(ResourceProvider):\n    pass\n"
    provider = load(_own(tmp_path, monkeypatch, text, "machine_of_mine"))
    assert type(provider).__name__ == "Mine"


@pytest.mark.parametrize("text", ["Mine = 1", "class Mine:\n    pass", "class Mine(dict):\n    pass", "no python"])
def test_a_module_of_the_program_without_such_a_class_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    name = f"no_provider_{abs(hash(text))}"
    told = _own(tmp_path, monkeypatch, f"{text}\n", name)
    with pytest.raises(Failure, match="has not been run"):
        load(told)
    assert "class Mine(" in text or name not in sys.modules


def test_a_provider_with_values_of_its_own_or_of_the_main_file_is_refused_by_a_sentence() -> None:
    class Mine(reference.ResourceProvider):
        def __init__(self) -> None:
            self.region = "eu"

    with pytest.raises(Failure, match="without values of its own in a module beside __main__"):
        load(serialize_provider(Mine()))


def test_a_module_of_the_program_that_is_not_found_is_named() -> None:
    with pytest.raises(Failure, match="the program's module machine_of_nobody is not found"):
        load(base64.b64encode(_instance("machine_of_nobody", "P")).decode())


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="the kernel does not tell whose socket it is")
@pytest.mark.parametrize("user", [0, 65534])
def test_the_port_answers_no_other_user(port: int, user: int) -> None:
    if user and os.geteuid() != 0:
        pytest.skip("only root can be another user")
    done = subprocess.run(
        [sys.executable, "-c", CALLER, str(port), str(user)], capture_output=True, text=True, timeout=60, check=False
    )
    told = "answered" if user == 0 else "PERMISSION_DENIED this port answers the user alone who runs Pulumi"
    assert done.stdout.strip() == told, done.stderr
