"""The provider as a process: it prints its port, answers, and ends with its engine."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime import proto
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2_grpc

from provider.server import EngineConsole, Server
from provider.starting import LazyFinder, leave_out
from provider.structs import properties, struct_of

REPOSITORY = Path(__file__).parents[3]


def _by_signal(number: int) -> Callable[[subprocess.Popen[bytes]], None]:
    return lambda process: process.send_signal(number)


def _engine_gone(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin
    process.stdin.close()


@pytest.mark.parametrize(
    "end",
    [_by_signal(signal.SIGTERM), _by_signal(signal.SIGINT), _engine_gone],
    ids=["SIGTERM", "SIGINT", "its engine is gone"],
)
def test_it_serves_until_its_engine_ends_it(end: Callable[[subprocess.Popen[bytes]], None]) -> None:
    argv = [sys.executable, "-m", "provider", "127.0.0.1:1"]
    with subprocess.Popen(argv, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            info = provider_pb2_grpc.ResourceProviderStub(channel).GetPluginInfo(empty_pb2.Empty(), timeout=30)
            assert info.version
        end(process)
        assert process.wait(30) == 0
        assert process.stdout.read() == b""


def test_without_a_pipe_it_does_not_end_with_its_input() -> None:
    argv = [sys.executable, "-m", "provider", "127.0.0.1:1"]
    with subprocess.Popen(argv, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert int(process.stdout.readline()) > 0
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        process.terminate()
        assert process.wait(30) == 0


def test_a_module_is_loaded_when_it_is_first_used(tmp_path: Path) -> None:
    for name in ("heavy_one", "other_one"):
        (tmp_path / f"{name}.py").write_text(f"print('{name} runs')\nvalue = 1\n")
    program = (
        "import sys; from provider.starting import LazyFinder; sys.meta_path.insert(0, LazyFinder('heavy_one'));"
        "import heavy_one, other_one; print('imported'); print(heavy_one.value)"
    )
    path = os.pathsep.join((str(REPOSITORY), str(tmp_path)))
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["other_one runs", "imported", "heavy_one runs", "1"]
    assert LazyFinder("missing_one").find_spec("missing_one", None) is None


def test_libraries_that_are_left_out_are_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    import ctypes.util

    monkeypatch.setattr(ctypes.util, "find_library", lambda name: f"lib{name}.so")
    leave_out("oqs")
    assert ctypes.util.find_library("oqs") is None
    assert ctypes.util.find_library("c") == "libc.so"


class _Engine(engine_pb2_grpc.EngineServicer):  # type: ignore[misc]
    """An engine's side: it takes messages."""

    def __init__(self) -> None:
        self.messages: list[tuple[int, str, str]] = []

    def Log(self, request: Any, _context: Any) -> Any:
        self.messages.append((request.severity, request.urn, request.message))
        return empty_pb2.Empty()


def test_a_warning_is_shown_by_the_engine_and_an_engine_that_is_gone_is_no_reason_to_fail() -> None:
    engine = _Engine()
    server = grpc.server(futures.ThreadPoolExecutor(1))
    engine_pb2_grpc.add_EngineServicer_to_server(engine, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    shown = EngineConsole(f"127.0.0.1:{port}")
    shown.warn("urn:one", "look at this")
    assert engine.messages == [(proto.LogSeverity.WARNING, "urn:one", "look at this")]
    server.stop(grace=0).wait()
    shown.warn("urn:one", "nobody hears this")
    assert len(engine.messages) == 1


def test_the_stacks_config_is_kept_for_the_providers() -> None:
    server = Server()
    args = struct_of({"shop:hosts": "{}"})
    urn = "urn:pulumi:dev::shop::pulumi:providers:pulumi-python::default"
    checked = server.CheckConfig(proto.CheckRequest(urn=urn, news=args), None)
    assert properties(checked.inputs)["shop:hosts"] == "{}"
    answer = server.Configure(proto.ConfigureRequest(args=args, variables={"shop:hosts": "{}"}), None)
    assert answer.acceptSecrets is False
    assert server._config["shop:hosts"] == "{}"
