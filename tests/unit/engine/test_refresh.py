"""Which resources a refresh reads together."""

from local.engine.refresh import together
from local.engine.state import STACK_TYPE, Resource


def resource(urn: str, parent: str = "", type_: str = "t:m:T", custom: bool = True) -> Resource:
    return Resource(urn=urn, custom=custom, type=type_, parent=parent)


def test_parts_of_a_component_are_read_together_and_others_alone() -> None:
    stack = resource("stack", type_=STACK_TYPE, custom=False)
    hosts = [resource(name, "stack", custom=False) for name in ("web1", "web2")]
    firewall = resource("web1 firewall", "web1", custom=False)
    rules = [resource("web1 ipv4", "web1 firewall"), resource("web1 ipv6", "web1 firewall")]
    packages = [resource("web1 packages", "web1"), resource("web2 packages", "web2")]
    pair = resource("key pair", "stack")
    readable = [pair, *packages, *rules]
    families = together(readable, [stack, pair, *hosts, firewall, *packages, *rules])
    assert families == [[pair], [packages[0], *rules], [packages[1]]]
