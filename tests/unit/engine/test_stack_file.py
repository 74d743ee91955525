"""Pulumi.<stack>.yaml, edited in place."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from local.engine.errors import EngineError
from local.engine.state.configuring import split_path
from local.engine.state.project import parse_yaml
from local.engine.state.stack_file import remove_value, rewrite, set_value, with_salt

STAGING = """\
# yaml-language-server: $schema=stockade.schema.json
# A worked example.
config:
  # how to get in
  stockade:defaults:
    admin: {user: deploy}  # the limited user
  stockade:hosts:  # all of them
    web1:
      address: 198.51.100.11   # in rack 3
      note: |
        two
        lines

    # the second
    web2:
      ports: [80, 443]
      services:
      - name: app
        ports:
          - 1
  stockade:sshd: {}
  stockade:empty:

# the end
"""


def test_each_edit_changes_its_own_lines_only() -> None:
    text = STAGING
    for path, value in (
        (["config", "stockade:hosts", "web1", "admin", "password"], {"secure": "v1:abc:def=="}),
        (["config", "stockade:hosts", "web1", "address"], "10.0.0.1"),
        (["config", "stockade:hosts", "web1", "note"], "one line"),
        (["config", "stockade:defaults", "admin", "password"], {"secure": "v1:x:y"}),
        (["config", "stockade:hosts", "web2", "ports", 2], 8080),
        (["config", "stockade:hosts", "web2", "services", 1, "name"], "yes"),
        (["config", "stockade:hosts", "web2", "services", 0, "ports", 0], 2),
        (["config", "stockade:sshd", "port"], 2222),
        (["config", "stockade:empty"], "022"),
        (["config", "stockade:new", "a.b"], "x: #y"),
    ):
        text = set_value(text, path, value)
    assert (
        text
        == """\
# yaml-language-server: $schema=stockade.schema.json
# A worked example.
config:
  # how to get in
  stockade:defaults:
    admin: {user: deploy, password: {secure: 'v1:x:y'}}  # the limited user
  stockade:hosts:  # all of them
    web1:
      address: 10.0.0.1   # in rack 3
      note: one line
      admin:
        password:
          secure: v1:abc:def==

    # the second
    web2:
      ports: [80, 443, 8080]
      services:
      - name: app
        ports:
          - 2
      - name: "yes"
  stockade:sshd:
    port: 2222
  stockade:empty: "022"
  stockade:new:
    a.b: "x: #y"

# the end
"""
    )


def test_what_is_removed_takes_nothing_with_it() -> None:
    text = STAGING
    for path in (
        ["config", "stockade:hosts", "web1", "note"],
        ["config", "stockade:hosts", "web2", "ports", 0],
        ["config", "stockade:hosts", "web2", "services", 0, "ports", 0],
        ["config", "stockade:defaults", "admin", "user"],
        ["config", "stockade:empty"],
        ["config", "stockade:not", "there"],
    ):
        text = remove_value(text, path)
    assert (
        text
        == """\
# yaml-language-server: $schema=stockade.schema.json
# A worked example.
config:
  # how to get in
  stockade:defaults:
    admin: {}  # the limited user
  stockade:hosts:  # all of them
    web1:
      address: 198.51.100.11   # in rack 3

    # the second
    web2:
      ports: [443]
      services:
      - name: app
        ports: []
  stockade:sshd: {}

# the end
"""
    )


KEYS = st.text("ab:.- #é\"'", min_size=1, max_size=5)
SCALARS = st.one_of(st.integers(-(2**53), 2**53), st.booleans(), st.none(), st.text("ab\n:-#'\" {}[]é~0.e", max_size=8))
TREES = st.dictionaries(KEYS, st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
), max_size=4)  # fmt: skip


@given(TREES, KEYS, KEYS, st.text("ab\n:-#'\" {}[]é~0.e", max_size=8), st.sampled_from([None, False]), st.data())
def test_any_file_is_edited_or_refused_whole(
    tree: dict[str, Any], first: str, second: str, value: str, style: bool | None, data: st.DataObject
) -> None:
    text = yaml.safe_dump({"config": tree}, default_flow_style=style, allow_unicode=True)
    path = ["config", data.draw(st.sampled_from([first, *tree])), second]
    old = tree.get(path[1])
    fits = old is None or isinstance(old, dict) or old == []
    try:
        edited = set_value(text, path, value)
    except EngineError:
        assert not fits
        return
    assert parse_yaml(edited, "it")["config"][path[1]][second] == value
    assert parse_yaml(remove_value(edited, path), "it")["config"][path[1]].get(second) is None


@pytest.mark.parametrize(
    "text", ["", "config:\n  a:b: c", "# first\n\nconfig: {a:b: c}\n", "---\n# c\nconfig:\n  a:b: c\n", "# only this"]
)
def test_a_salt_goes_to_the_top(text: str) -> None:
    salted = with_salt(text, "v1:x")
    assert parse_yaml(salted, "it") == {"encryptionsalt": "v1:x", **parse_yaml(text, "it")}
    if text.startswith("config"):
        appended = f"{salted}\n  more:key: 1\n"  # appended by a user
        assert parse_yaml(appended, "it")["config"]["more:key"] == 1
    assert with_salt(salted, "v1:other") == salted


def test_a_flow_mapping_at_the_top_is_refused_in_one_sentence() -> None:
    with pytest.raises(EngineError, match="edit it by hand"):
        with_salt("{config: {a:b: c}}\n", "v1:x")


def test_two_at_a_time_lose_nothing_and_a_link_stays_one(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.all.yaml"
    file.write_text("config: {}\n")
    file.chmod(0o640)
    link = tmp_path / "Pulumi.one.yaml"
    link.symlink_to(file.name)
    threads = [
        threading.Thread(target=rewrite, args=(link, lambda text, n=number: set_value(text, ["config", f"a:{n}"], "x")))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert link.is_symlink()
    assert len(parse_yaml(file.read_text(), "it")["config"]) == 8
    assert file.stat().st_mode & 0o777 == 0o640


def test_paths_are_those_of_the_cli() -> None:
    assert split_path("stockade:hosts.web1.ports[0]") == ["stockade:hosts", "web1", "ports", 0]
    assert split_path('hosts["web.1"]["a b"].x') == ["hosts", "web.1", "a b", "x"]
    for bad in ("", "[0]", "a..b", "a[x]", "a[", ".a"):
        with pytest.raises(EngineError, match="invalid configuration key"):
            split_path(bad)
