"""Sets of addresses: reading, writing, comparing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.language.parse import parse
from rules.language.sets import IpSet, as_shown, lacking, made, not_there, printed, read, used, write
from rules.values.family import Family

BLOCKLIST = made("blocklist", "hash:net", "", {}, ["198.51.100.7/24", "192.0.2.1/32", "192.0.2.1"])
LOOKS = "-A INPUT -m set --match-set blocklist src -j DROP"


def test_entries_are_kept_in_one_spelling_and_order() -> None:
    assert write([BLOCKLIST]) == (
        "create blocklist hash:net family inet\nadd blocklist 192.0.2.1\nadd blocklist 198.51.100.0/24"
    )
    assert made("six", "hash:ip,port", "", {}, ["2001:DB8::0:1,tcp:22"]).lines() == (
        "create six hash:ip,port family inet6",
        "add six 2001:db8::1,tcp:22",
    )


@given(st.lists(st.ip_addresses(v=4)), st.booleans())
def test_what_is_written_is_read_again(addresses: list[object], filled: bool) -> None:
    one = made("a", "hash:ip", "inet", {"maxelem": "9"}, None if filled else map(str, addresses))
    assert read(write([one])) == (one,)


@pytest.mark.parametrize(
    ("entries", "type_", "told"),
    [
        (["192.0.2.1", "2001:db8::1"], "hash:ip", "IPv4 or IPv6 addresses, not both"),
        (["example.com"], "hash:ip", "neither an IPv4 address nor a network"),
        (["0.0.0.0/0"], "hash:net", "two halves"),
        (["192.0.2.1; reboot"], "hash:net", "no entry of a set"),
        (["192.0.2.1\nflush"], "hash:net", "no entry of a set"),
        (["192.0.2.1"], "hash:nets", "there is no type 'hash:nets'"),
        (["192.0.2.1,tcp:22"], "hash:ip", "has not the 1 parts"),
    ],
)
def test_what_the_host_would_refuse_is_refused_before(entries: list[str], type_: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        made("a", type_, "", {}, entries)


@pytest.mark.parametrize("name", ["", "-a", "a b", "a" * 32, "stockade.1", "a/b"])
def test_names(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        made(name, "hash:ip", "", {}, [])


def test_what_no_boot_has() -> None:
    rules = parse(LOOKS, Family.IPV4)
    assert used(rules) == {"blocklist": LOOKS}
    assert used(parse("-A INPUT -j SET --add-set seen src", Family.IPV4)) == {
        "seen": "-A INPUT -j SET --add-set seen src"
    }
    assert "at boot there is no set blocklist" in lacking(rules, ())
    assert lacking(rules, (BLOCKLIST,)) == ""
    six = IpSet("blocklist", "hash:net", "inet6")
    assert "family inet6" in lacking(rules, (six,))
    for words, told in (
        ("-m cgroup --path user.slice/app.service -j DROP", "cgroup user.slice/app.service"),
        ("-m bpf --object-pinned /sys/fs/bpf/x -j DROP", "object /sys/fs/bpf/x"),
        ("-m nfacct --nfacct-name web", "accounting object web"),
    ):
        assert f"no {told} yet" in lacking(parse(f"-A INPUT {words}", Family.IPV4), ())
    assert lacking(parse("-A OUTPUT -m cgroup --path system.slice -j DROP", Family.IPV4), ()) == ""


SAVE = """\
create blocklist hash:net family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0x1
add blocklist 198.51.100.0/24 timeout 17
add blocklist 192.0.2.1 packets 0 bytes 0
"""


def test_drift_is_told_as_entries() -> None:
    then = printed(SAVE)
    assert then == write([BLOCKLIST])
    now = printed(SAVE.replace("192.0.2.1 ", "203.0.113.9 "))
    assert as_shown(write([BLOCKLIST]), then, now).splitlines()[1:] == [
        "add blocklist 198.51.100.0/24",
        "add blocklist 203.0.113.9",
    ]
    assert as_shown(write([BLOCKLIST]), then, "") == ""
    assert not_there(write([BLOCKLIST]), then) == ""
    assert not_there(write([BLOCKLIST]), "create blocklist hash:ip family inet") == "blocklist"


def test_what_others_fill_is_no_drift() -> None:
    filled = made("watched", "hash:ip", "", {}, None)
    then, now = "create watched hash:ip family inet", "create watched hash:ip family inet\nadd watched 192.0.2.1"
    assert as_shown(write([filled]), then, now) == write([filled])
