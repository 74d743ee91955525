"""The provider process's answers, operation by operation, for a provider of the test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)
from pulumi.output import Unknown
from pulumi.runtime import proto, rpc
from pulumi.runtime.proto.provider_pb2 import ErrorResourceInitFailed
from pulumi.runtime.proto.status_pb2 import Status
from pydantic import BaseModel

from components.core import console
from components.core.chapter import Unfinished
from components.core.claims import CLAIMS, caller
from components.failure import Failure
from hosts.errors import Unreachable
from provider.server import Server, run_of
from provider.structs import properties, struct_of

URN = "urn:pulumi:lab::stockade::pulumi-python:dynamic/stockade:Word::web1"
REFERENCE = {"__provider": "words"}


class Words(ResourceProvider):
    """Notes what it is asked, and answers with `answer`, or raises it."""

    outputs = frozenset({"__provider", "observed", "unfinished", "machine", "claim"})

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.answer: Any = None
        self.machine = ""
        self.configured: Any = None
        self.former: Any = None

    def configure(self, req: Any) -> None:
        self.configured = req.config.get("hosts")

    def elsewhere(self, olds: Any, news: Any) -> str:
        self.seen = (dict(olds), dict(news))
        return self.machine

    def _done(self, *asked: Any) -> Any:
        self.asked.append((*asked, caller().urn))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def check(self, olds: Any, news: Any) -> Any:
        return self._done("check", olds, news)

    def diff(self, id_: str, olds: Any, news: Any) -> Any:
        return self._done("diff", id_, olds, news)

    def create(self, props: Any) -> Any:
        return self._done("create", props)

    def read(self, id_: str, props: Any) -> Any:
        return self._done("read", id_, props)

    def update(self, id_: str, olds: Any, news: Any) -> Any:
        return self._done("update", id_, olds, news)

    def delete(self, id_: str, props: Any) -> Any:
        return self._done("delete", id_, props)


class Aborted(Exception):  # noqa: N818
    """How gRPC ends a call."""


class Context:
    """The engine's side of a call."""

    trailing: Any = ()

    def abort(self, code: Any, message: str) -> None:
        assert code == grpc.StatusCode.UNKNOWN
        raise Aborted(message)

    def set_trailing_metadata(self, trailing: Any) -> None:
        self.trailing = trailing


class Process:
    """A provider process with one provider."""

    def __init__(self) -> None:
        self.words, self.server, self.context = Words(), Server(), Context()
        self.server._load = self.load  # type: ignore[method-assign]
        self.loaded: list[str] = []
        self.warnings: list[tuple[str, str]] = []

    def load(self, reference: str) -> Any:
        self.loaded.append(reference)
        return self.words

    def warn(self, urn: str, text: str) -> None:
        self.warnings.append((urn, text))

    def diff(self, olds: dict[str, Any], news: dict[str, Any]) -> Any:
        olds, news = ({**REFERENCE, **props} for props in (olds, news))
        request = proto.DiffRequest(urn=URN, id="1", olds=struct_of(olds), news=struct_of(news))
        return self.server.Diff(request, self.context)

    def create(self, **props: Any) -> Any:
        request = proto.CreateRequest(urn=URN, properties=struct_of({**REFERENCE, **props}))
        return self.server.Create(request, self.context)

    def check(self, **news: Any) -> Any:
        request = proto.CheckRequest(urn=URN, olds=struct_of({}), news=struct_of({**REFERENCE, **news}))
        return self.server.Check(request, self.context)


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    """A process; CLAIMS is emptied for other tests."""
    made = Process()
    monkeypatch.setattr(console, "_console", [made])
    monkeypatch.setenv("PULUMI_PROJECT", "stockade")
    CLAIMS.__init__()  # type: ignore[misc]
    yield made
    CLAIMS.__init__()  # type: ignore[misc]


def test_a_provider_is_loaded_and_configured_once_and_called_for_its_resource(process: Process) -> None:
    process.server._config = {"stockade:hosts": "{}"}
    process.words.answer = CreateResult("1", {"word": "ours"})
    for _ in range(2):
        answer = process.create(word="ours")
        assert (answer.id, properties(answer.properties)) == ("1", {"word": "ours", **REFERENCE})
    assert (process.loaded, process.words.configured) == (["words"], "{}")
    assert process.words.former is process.server._own.former
    assert process.words.asked[0] == ("create", {"word": "ours", **REFERENCE}, URN)


def test_checked_inputs_come_back_with_what_is_wrong(process: Process) -> None:
    process.words.answer = CheckResult({"host": "web1", "word": "ours"}, [])
    answer = process.check(host="web1", word="ours")
    assert (properties(answer.inputs), [*answer.failures]) == ({"host": "web1", "word": "ours", **REFERENCE}, [])
    assert not CLAIMS.failed("web1")
    process.words.answer = CheckResult({"host": "web1", "word": "normal"}, [CheckFailure("word", "is wrong")])
    answer = process.check(host="web1", word="odd")
    assert properties(answer.inputs)["word"] == "normal"
    assert [(one.property, one.reason) for one in answer.failures] == [("word", "is wrong")]
    assert CLAIMS.failed("web1")


def test_what_is_unknown_stays_so(process: Process) -> None:
    unknown = rpc.UNKNOWN
    process.words.answer = CheckResult({"word": Unknown()}, [])
    request = proto.CheckRequest(urn=URN, olds=struct_of({}), news=struct_of({**REFERENCE, "word": unknown}))
    answer = process.server.Check(request, process.context)
    assert isinstance(process.words.asked[0][2]["word"], Unknown)
    assert answer.inputs.fields["word"].string_value == unknown


DIFF = proto.DiffResponse


def test_nothing_is_asked_where_only_outputs_differ(process: Process) -> None:
    olds = {"word": "ours", "observed": "x", "claim": "c1", "host": "web1"}
    assert process.diff(olds, {"word": "ours", "host": "web1"}).changes == DIFF.DIFF_NONE
    assert process.words.asked == []
    assert CLAIMS.urn("c1") == URN


@pytest.mark.parametrize(
    ("result", "changes"),
    [
        (DiffResult(changes=True, replaces=["host"]), DIFF.DIFF_SOME),
        (DiffResult(changes=False), DIFF.DIFF_NONE),
        (DiffResult(), DIFF.DIFF_UNKNOWN),
        (DiffResult(changes=True, delete_before_replace=True), DIFF.DIFF_SOME),
    ],
)
def test_a_difference_is_the_providers_answer(process: Process, result: DiffResult, changes: Any) -> None:
    process.words.answer = result
    answer = process.diff({"word": "ours"}, {"word": "next"})
    assert (answer.changes, [*answer.replaces]) == (changes, result.replaces or [])
    assert answer.deleteBeforeReplace is bool(result.delete_before_replace)
    assert process.words.asked[0][1:4] == ("1", {"word": "ours", **REFERENCE}, {"word": "next", **REFERENCE})


def test_another_machine_is_a_difference_and_keeps_no_claim_alive(process: Process) -> None:
    process.words.answer, process.words.machine = DiffResult(changes=True), "SHA256:b"
    olds = {"word": "ours", "machine": {"id": "m"}, "claim": "c1", "host": "web1"}
    assert process.diff(olds, {"word": "ours", "host": "web1", "connection": {}}).changes == DIFF.DIFF_SOME
    assert CLAIMS.urn("c1") == ""
    assert process.words.seen == ({"machine": {"id": "m"}}, {"host": "web1", "connection": {}})
    assert process.diff({"word": "ours"}, {"word": "ours"}).changes == DIFF.DIFF_NONE  # its machine is unknown


def test_what_a_killed_run_was_changing_is_unfinished(process: Process) -> None:
    process.words.answer = DiffResult(changes=True)
    assert process.diff({"word": "ours", "unfinished": True}, {"word": "ours"}).changes == DIFF.DIFF_SOME
    assert process.warnings == []
    process.server._own.interrupted = frozenset({URN})
    assert process.diff({"word": "ours"}, {"word": "ours"}).changes == DIFF.DIFF_SOME
    assert process.words.asked[-1][2]["unfinished"] is True
    assert process.warnings == [
        (URN, "a run that was interrupted was changing this: what is declared is applied again")
    ]
    process.words.answer = UpdateResult({"word": "ours"})
    request = proto.UpdateRequest(
        urn=URN, id="1", olds=struct_of({"word": "old", **REFERENCE}), news=struct_of({"word": "ours", **REFERENCE})
    )
    answer = process.server.Update(request, process.context)
    assert properties(answer.properties) == {"word": "ours", **REFERENCE}
    assert process.words.asked[-1][1:3] == ("1", {"word": "old", "unfinished": True, **REFERENCE})
    process.words.outputs = frozenset({"unfinished", "earlier"})
    process.server._own.meant = {URN: [{"word": "meant"}, {"word": "twice"}]}
    assert process.server._unfinished(process.words, URN, [{"word": "twice"}]) == {
        "unfinished": True,
        "earlier": [{"word": "twice"}, {"word": "meant"}],
    }
    process.words.outputs = frozenset()
    assert process.server._unfinished(process.words, URN, ()) == {}


def test_a_refresh_reads_the_state_or_what_is_imported(process: Process) -> None:
    process.words.answer = ReadResult("1", {"word": "seen"}, {"word": "seen"})
    request = proto.ReadRequest(urn=URN, id="1", properties=struct_of({"word": "ours", **REFERENCE}))
    answer = process.server.Read(request, process.context)
    assert (answer.id, properties(answer.properties)["word"], properties(answer.inputs)["word"]) == (
        "1",
        "seen",
        "seen",
    )
    assert properties(answer.inputs)["__provider"] == "words"
    process.words.answer = ReadResult("", {})
    request = proto.ReadRequest(urn=URN, id="1", inputs=struct_of({"word": "given", **REFERENCE}))
    answer = process.server.Read(request, process.context)
    assert (answer.id, answer.HasField("inputs")) == ("", False)
    assert process.words.asked[-1][2]["word"] == "given"
    with pytest.raises(Aborted, match="cannot be imported: declare it"):
        process.server.Read(proto.ReadRequest(urn=URN, id="1"), process.context)


def test_a_deletion_gets_the_state(process: Process) -> None:
    request = proto.DeleteRequest(urn=URN, id="1", properties=struct_of({"word": "ours", **REFERENCE}))
    process.server.Delete(request, process.context)
    assert process.words.asked == [("delete", "1", {"word": "ours", **REFERENCE}, URN)]


class Number(BaseModel):
    """Something to validate."""

    number: int


def invalid() -> Exception:
    """A fault of validation that shows no value."""
    try:
        Number.model_validate({"number": "TOPSECRET"})
    except ValueError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Failure("web1: word: it is so"), "^web1: word: it is so$"),
        (Unreachable("nobody answers", host="web1"), "nobody answers"),
        (invalid(), "^number: Input should be a valid integer"),
        (KeyError("word"), r"^This is a fault in Stockade, please report it:\nTraceback"),
    ],
)
def test_a_fault_of_the_user_or_the_host_is_a_sentence(process: Process, error: Exception, told: str) -> None:
    process.words.answer = error
    with pytest.raises(Aborted, match=told) as found:
        process.create(word="ours", host="web1")
    assert "TOPSECRET" not in str(found.value)
    assert ("Traceback" in str(found.value)) is isinstance(error, KeyError)
    assert CLAIMS.failed("web1") is isinstance(error, Failure | Unreachable)


def test_what_is_unfinished_is_kept_with_its_reason(process: Process) -> None:
    process.words.answer = Unfinished("it is half done", "web1/word", {"word": "ours", "unfinished": True})
    with pytest.raises(Aborted, match="it is half done"):
        process.create(word="ours", host="web1")
    [(name, value)] = process.context.trailing
    assert name == "grpc-status-details-bin"
    status, detail = Status.FromString(value), ErrorResourceInitFailed()
    assert status.code == grpc.StatusCode.UNKNOWN.value[0]
    assert status.details[0].Unpack(detail)
    assert (detail.id, [*detail.reasons]) == ("web1/word", ["it is half done"])
    assert properties(detail.properties) == {"word": "ours", "unfinished": True, **REFERENCE}
    assert properties(detail.inputs) == {"word": "ours", "host": "web1", **REFERENCE}
    assert CLAIMS.failed("web1")


def test_each_run_of_an_engine_has_a_token_of_its_own() -> None:
    assert run_of("127.0.0.1:1") == run_of("127.0.0.1:1")
    assert len({run_of(f"127.0.0.1:{port}") for port in range(9)}) == 9
    assert len(run_of("127.0.0.1:1")) == 16
