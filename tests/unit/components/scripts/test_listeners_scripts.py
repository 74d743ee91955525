"""The listeners' scripts on a stage: a look with ss or netstat, and net-tools if both are missing."""

import pytest

from components.core.chapter import KnownState
from components.listeners.chapter import ListenerChapter
from components.listeners.settings import ListenerFacts, ListenerInputs
from tests.shell_room import Stage
from tests.unit.components.scripts.apt import Debian, debian

CHAPTER = ListenerChapter()
WANTED = ListenerInputs(host="web1")
SS = "udp UNCONN 0 0 0.0.0.0:111 0.0.0.0:* ino:111 sk:1 <->"
NETSTAT = "udp        0      0 0.0.0.0:111             0.0.0.0:*                           0          111"


@pytest.fixture
def host(stage: Stage) -> Debian:
    made = debian(stage)
    made.has("net-tools")
    return made


def facts(stage: Stage) -> ListenerFacts:
    answer = stage.one(CHAPTER.observe(WANTED))
    assert answer.status == 0, answer.stderr
    return CHAPTER.parse(WANTED, answer)


@pytest.mark.parametrize(("program", "line"), [("ss", SS), ("netstat", NETSTAT)])
def test_what_listens_is_seen(stage: Stage, host: Debian, program: str, line: str) -> None:
    stage.program(program, f"echo '{line}'")
    seen = facts(stage)
    assert (seen.tool, seen.listening) == (True, ("udp 0.0.0.0:111 kernel",))
    stage.forget_calls()
    assert stage.one(CHAPTER.apply(WANTED, KnownState())).status == 0
    assert stage.calls("apt-get") == []


def test_net_tools_comes_where_there_is_neither_and_goes_again(stage: Stage, host: Debian) -> None:
    prior = facts(stage)
    assert prior.tool is False
    assert CHAPTER.differences(WANTED, prior) == "neither ss nor netstat"
    assert stage.one(CHAPTER.apply(WANTED, KnownState())).status == 0
    assert "net-tools" in host.installed()
    assert stage.one(CHAPTER.restore(WANTED, KnownState(prior=ListenerFacts()))).status == 0
    assert "net-tools" in host.installed()
    assert stage.one(CHAPTER.restore(WANTED, KnownState(prior=prior))).status == 0
    assert "net-tools" not in host.installed()
