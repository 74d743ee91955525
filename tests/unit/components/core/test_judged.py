"""A program that no policy pack checks warns about it or ends."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pulumi
import pytest
from pulumi.runtime.config import set_all_config

from components.core import judged

ENGINE = "127.0.0.1:38935"
ARGV = [
    "python",
    "pulumi-language-python-exec",
    "--monitor",
    "127.0.0.1:1",
    "--engine",
    ENGINE,
    "--project",
    "shop",
    ".",
]


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv(judged.PACKS, raising=False)
    monkeypatch.delenv(judged.OFF, raising=False)
    judged.demand.cache_clear()
    yield
    set_all_config({})
    judged.demand.cache_clear()


def wanted(value: str) -> None:
    set_all_config({f"{pulumi.get_project()}:policies": value})


PACK = "import sys; from components.core.judged import mark; mark(sys.argv[1]); print(flush=True); sys.stdin.read()"


def packs(*engines: str) -> list[subprocess.Popen[bytes]]:
    """Packs of runs of these engines, started at once; returns when each has written its file."""
    begun = [
        subprocess.Popen([sys.executable, "-c", PACK, engine], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for engine in engines
    ]
    for pack in begun:
        assert pack.stdout is not None
        assert pack.stdout.readline() == b"\n"
    return begun


def test_a_pack_of_the_same_engine_judges_as_long_as_it_lives() -> None:
    assert not judged.judged(ARGV)
    others = [f"127.0.0.1:{port}" for port in (2, 3)]
    pack, *rest = packs(ENGINE, *others)
    assert judged.judged(ARGV)
    assert not judged.judged([word.replace("38935", "38936") for word in ARGV])
    assert not judged.judged(ARGV[:5])
    assert judged.judged(ARGV[:6])
    pack.communicate()
    assert not judged.judged(ARGV)
    judged.mark(ENGINE)
    assert judged.judged(ARGV)
    for one in rest:
        one.communicate()


def test_what_another_container_has_left_is_its_own(tmp_path: Path) -> None:
    """Containers share a home but not processes: the file of a pack running in another one looks dead from here."""
    (pack,) = packs(ENGINE)
    folder = tmp_path / "stockade" / "judged"
    (own,) = folder.iterdir()
    elsewhere = [folder / f"{ENGINE} {pid} 1" for pid in (pack.pid, 4194304)]
    for file in elsewhere:
        file.touch()
    judged.mark("127.0.0.1:1")
    assert {own, *elsewhere} < {*folder.iterdir()}
    pack.communicate()
    assert not judged.judged(ARGV)
    os.utime(elsewhere[0], (0, 0))
    judged.mark("127.0.0.1:1")
    assert [file.exists() for file in (own, *elsewhere)] == [False, False, True]


def test_the_embedded_engine_tells_its_program(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not judged.judged(["python", "runner.py"])
    monkeypatch.setenv(judged.PACKS, "/p/policies")
    assert judged.judged(["python", "runner.py"])


def test_a_run_without_one_is_warned_about_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", told.append)
    for value in ("", "optional", "required"):
        wanted(value)
        judged.demand.cache_clear()
        if value == "required":
            with pytest.raises(pulumi.RunError, match=r"no policy pack checks.*`pulumi up --policy-pack policies`"):
                judged.demand("production")
        else:
            judged.demand("production")
            judged.demand("production")
    assert [line.partition(":")[0] for line in told] == ["no policy pack checks this run"]
    assert "stockade up --stack production" in told[0]
    monkeypatch.setenv(judged.OFF, "off")
    judged.demand("production")
