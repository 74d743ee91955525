"""A program that no policy pack judges says so, or ends."""

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


def test_a_pack_of_the_same_engine_judges_as_long_as_it_lives(tmp_path: Path) -> None:
    assert not judged.judged(ARGV)
    pack = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    (tmp_path / "stockade" / "judged" / ENGINE).write_text(str(pack.pid))
    assert judged.judged(ARGV)
    assert not judged.judged([word.replace("38935", "38936") for word in ARGV])
    pack.communicate(b"\n")
    assert not judged.judged(ARGV)
    judged.mark(ENGINE)
    assert judged.judged(ARGV)
    judged.mark("127.0.0.1:2")
    assert judged.judged(ARGV)


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
            with pytest.raises(pulumi.RunError, match=r"no policy pack judges.*`pulumi up --policy-pack policies`"):
                judged.demand("production")
        else:
            judged.demand("production")
            judged.demand("production")
    assert [line.partition(":")[0] for line in told] == ["no policy pack judges this run"]
    assert "python -m local up --stack production" in told[0]
    monkeypatch.setenv(judged.OFF, "off")
    judged.demand("production")
