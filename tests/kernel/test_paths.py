"""Compares whole paths with the kernel: random rulesets over all tables, with NAT and forwarding, packet by packet.

``STOCKADE_KERNEL_RULESETS`` is the number of rulesets, with 42 packets each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from rules.language.parse import parse
from rules.packets.packet import Field, Packet
from rules.path.carried import first_state
from rules.path.layers import layers
from rules.path.pieces import Pieces, Reached
from rules.path.trace import End, Tracer
from rules.values.family import Family
from rules.values.typed import format_address
from tests.kernel.namespaces import ADDRESSES, CABLES, PEERS, missing
from tests.kernel.paths import CONTAINERS, Planner, Roads, Seen
from tests.kernel.rulesets import PORTS
from tests.kernel.test_kernel import PACKETS, RULESETS, SHARES
from tests.kernel.wire import Frame, length

pytestmark = [pytest.mark.lab, pytest.mark.skipif(missing() is not None, reason=missing() or "")]


@pytest.fixture(params=SHARES)
def roads(request: pytest.FixtureRequest) -> Iterator[tuple[Roads, str]]:
    with Roads() as found:
        found.silence()
        yield found, request.param


def _packet(family: Family, random: Random, used: set[tuple[str, int]]) -> Packet:
    """The first packet of a connection that was not used before."""
    while True:
        packet = _random(family, random)
        ends = packet.source, packet.source_port if packet.icmp is None else -1
        if ends not in used:
            used.add(ends)
            return packet


def _random(family: Family, random: Random) -> Packet:
    four = family is Family.IPV4
    protocol = random.choice((6, 6, 6, 17, 17, 1 if four else 58))
    near = random.choice(
        ("192.0.2.", "10.1.2.", "100.64.0.") if four else ("2001:db8:9::", "2001:db8:a::", "2620:fe::")
    )
    source = f"{near}{random.randrange(1, 255) if four else format(random.randrange(1, 65536), 'x')}"
    if four and (protocol == 1 or random.randrange(3) == 0):
        source = f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(1, 255)}"
    to = (
        *ADDRESSES[family],
        *ADDRESSES[family],
        *CONTAINERS[family],
        PEERS[family][1],
        "8.8.8.8" if four else "2620:fe::fe",
    )
    icmp = (random.choice((8, 8, 0) if four else (128, 128, 129)), 0) if protocol in (1, 58) else None
    packet = Packet(
        family,
        source,
        random.choice(to),
        protocol=protocol,
        port=random.choice(PORTS),
        source_port=random.randrange(1024, 65536),
        icmp=icmp,
        in_interface=CABLES[0],
        flags=random.choice((("SYN",), ("SYN",), ("SYN",), ("ACK",), ("SYN", "ACK"), ("FIN", "ACK"))),
        hops=random.choice((1, 2, 64, 64, 64, 255)),
        tos=random.choice((0, 0, 0x10)),
    )
    return replace(packet, length=length(packet))


def _fits(end: End, seen: Seen | None, packet: Packet) -> bool:
    """Whether an end is the kernel's result for the packet."""
    if seen is None:
        return end.verdict != "ACCEPT"
    now = end.packet
    ports = packet.icmp is None
    return (
        end.verdict == "ACCEPT"
        and end.where == seen.where
        and format_address(packet.family, now[Field.DESTINATION]) == seen.destination
        and format_address(packet.family, now[Field.SOURCE]) == seen.source
        and (not ports or now[Field.SERVICE] == seen.port)
        and now.mark == seen.mark
    )


def _told_of_sets(pieces: Pieces, ways: list[Reached], packet: Packet, seen: Seen | None) -> str:
    """The error about this packet in the answer for all packets, or an empty string."""
    if packet.protocol == 6 and packet.flags != ("SYN",):
        return ""  # no connection begins with such a packet
    begun = Tracer(packet.family, (), pieces.host).begun(packet)
    point = list(begun.having((Field.STATE, first_state(begun.point))).point)
    digits = pieces.store.digits((*point, 0))
    possibly, surely = (
        [way for way in ways if pieces.store.at(getattr(way.piece, bound), digits) is True]
        for bound in ("possibly", "surely")
    )
    if seen is None:
        return f"surely {surely[0].where}" if surely else ""
    for way in possibly:
        to = way.piece.became.get(Field.DESTINATION, point[Field.DESTINATION])
        port = way.piece.became.get(Field.SERVICE, point[Field.SERVICE])
        there = format_address(packet.family, to) == seen.destination and (packet.icmp is not None or port == seen.port)
        if way.where == seen.where and (there or way.piece.astray):
            return ""
    return f"not {seen.where}"


def test_ways_are_those_of_the_kernel(roads: tuple[Roads, str]) -> None:
    wires, backend = roads
    found: Counter[str] = Counter()
    networks = {family: wires.network(family) for family in Family}
    used: set[tuple[str, int]] = set()
    rulesets = max(RULESETS * SHARES[backend] // 10, 1)
    for seed in range(rulesets):
        random = Random(f"way {backend} {seed}")
        family = random.choice(list(Family))
        text = Planner(family, random).whole(random.randint(2, 8))
        wires.load(backend, family, text)
        tables = layers(parse(text, family))
        tracer = Tracer(family, tables, networks[family])
        pieces = Pieces(family, tables, networks[family], {})
        reached = [*pieces.to_host(), *pieces.past_host()]
        packets = [_packet(family, random, used) for _ in range(PACKETS)]
        wires.send([Frame(packet, number) for number, packet in enumerate(packets, 1)])
        seen = wires.ways(family, len(packets))
        for number, packet in enumerate(packets, 1):
            trace = tracer.trace(packet)
            made = seen.get(number)
            assert any(_fits(end, made, packet) for end in trace.ends), (
                f"{made} became of {packet}, not one of {trace.ends}\n{text}"
            )
            wrong = _told_of_sets(pieces, reached, packet, made)
            assert not wrong, f"{made} became of {packet}, and the answer about all says {wrong}\n{text}"
            found[made.where if made else "dropped"] += 1
            found["certain"] += trace.verdict is not None
            found["translated"] += made is not None and made.destination != packet.destination
            found["marked"] += made is not None and made.mark > 0
    sent = rulesets * PACKETS
    print(f"{backend}: {rulesets} rulesets, {sent} packets, {dict(sorted(found.items()))}")
    assert found["certain"] >= 0.99 * sent, found
    assert min(found[one] for one in ("host", "forwarded", "dropped", "translated", "marked")) >= sent // 100, found
