"""What each chapter promises to the base class that makes a resource of it."""

from typing import Any

import pytest

from components.core.chapter import KnownState
from tests.unit.test_recorded import chapters
from tests.unit.test_scripts import DECLARED

CHAPTERS = sorted(chapters())


def _restored(name: str) -> Any:
    chapter = chapters()[name]
    seen = None if name == "timesync" else chapter.facts()
    inputs = chapter.inputs.model_validate({"host": "web1", **DECLARED.get(name, {})})
    return chapter.restore(inputs, KnownState(before=seen, prior=seen))


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_keeps_records_if_its_scripts_are_told_where(name: str) -> None:
    told = any(value.startswith("/var/lib/stockade/") for value in _restored(name).values.values())
    assert chapters()[name].keeps_records is told


@pytest.mark.parametrize("name", CHAPTERS)
def test_only_what_looks_on_changes_nothing(name: str) -> None:
    assert chapters()[name].changes is (name not in ("kept", "listener", "upgrade"))


@pytest.mark.parametrize("name", CHAPTERS)
def test_another_resource_is_what_has_another_name_on_the_host(name: str) -> None:
    chapter = chapters()[name]
    more = {"ruleset": {"family"}, "user": {"name"}, "package": {"group"}, "timesync": {"daemon"}}.get(name, set[str]())
    assert chapter.replaced_by == {"host", *more}


def test_chapters_that_end_logins_share_none() -> None:
    assert [name for name in CHAPTERS if not chapters()[name].proof] == ["sshd", "user"]
