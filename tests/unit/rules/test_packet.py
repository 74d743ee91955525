"""Fields of packets as numbers, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.packets.packet import (
    STATES,
    Field,
    Packet,
    address_text,
    host_name,
    icmp_service,
    interface,
    interface_text,
    is_reply,
    layouts,
    state_number,
    states,
    tops,
    tracked,
)
from rules.values.addresses import read_address
from rules.values.family import Family

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,40}[a-z0-9])?", fullmatch=True)
FAMILIES = pytest.mark.parametrize("family", Family)


@FAMILIES
@given(name=NAMES, other=NAMES)
def test_a_host_name_is_a_range_above_all_addresses_and_of_its_own(family: Family, name: str, other: str) -> None:
    first, last = host_name(name, family)
    assert 1 << family.bits <= first < last <= tops(family)[Field.SOURCE]
    assert {address_text(number, family) for number in (first, last)} == {name}
    if other != name:
        assert host_name(other, family)[1] < first or last < host_name(other, family)[0]


@FAMILIES
def test_the_last_address_is_no_name(family: Family) -> None:
    last = (1 << family.bits) - 1
    assert read_address(address_text(last, family), family) == last


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        ("eth0", ["eth0"], ["eth1", "eth", "eth01"]),
        ("eth+", ["eth", "eth0", "eth0.10"], ["etg", "eti", "et"]),
        ("+", ["", "lo", "z" * 15], []),
    ],
)
def test_interfaces_that_match_a_pattern(pattern: str, inside: list[str], outside: list[str]) -> None:
    first, last = interface(pattern)
    for name in (*inside, *outside):
        number, same = interface(name)
        assert number == same
        assert interface_text(number) == name
        assert (first <= number <= last) is (name in inside)


def test_states_are_told_apart() -> None:
    kinds = [{"snat": snat, "dnat": dnat, "reply": reply} for snat in (0, 1) for dnat in (0, 1) for reply in (0, 1)]
    numbers = [state_number(state, **kind) for state in STATES for kind in kinds]  # type: ignore[arg-type]
    assert sorted(numbers) == [*range(tops(Family.IPV4)[Field.STATE] + 1)]
    assert [state for state in STATES if tracked(state_number(state))] == ["NEW", "RELATED", "ESTABLISHED"]
    assert is_reply(state_number("ESTABLISHED", reply=True))
    assert not is_reply(state_number("ESTABLISHED", snat=True, dnat=True))
    assert sorted(states(("NEW", "INVALID"))) == sorted(
        state_number(state, **kind)  # type: ignore[arg-type]
        for state in ("NEW", "INVALID")
        for kind in kinds
    )
    assert state_number("ESTABLISHED", dnat=True) in states(("DNAT",))
    assert state_number("ESTABLISHED", dnat=True) not in states(("SNAT",))
    assert state_number("UNTRACKED", dnat=True) not in states(("DNAT",))


@FAMILIES
def test_a_packet_has_a_number_for_each_field_within_its_limit(family: Family) -> None:
    source = {Family.IPV4: "198.51.100.7", Family.IPV6: "2001:db8::7"}[family]
    point = Packet(family, source, source, port=443).point()
    assert len(point) == len(Field) == len(layouts(family))
    assert all(0 <= number <= top for number, top in zip(point, tops(family), strict=True))
    assert point[Field.SERVICE] == 443
    assert point[Field.FLAGS] == 2
    udp = Packet(family, source, source, protocol=17, port=53, flags=("SYN",)).point()
    assert (udp[Field.SERVICE], udp[Field.SOURCE_PORT], udp[Field.FLAGS]) == (53, 40000, 0)
    esp = Packet(family, source, source, protocol=50, port=53, icmp=(8, 0)).point()
    assert (esp[Field.SERVICE], esp[Field.SOURCE_PORT]) == (0, 0)
    ping = Packet(family, source, source, protocol=1, icmp=(8, 1)).point()
    assert ping[Field.SERVICE] == icmp_service(8, 1)[0][0] == 8 * 256 + 1
    assert icmp_service(3, None) == ((768, 1023),)
