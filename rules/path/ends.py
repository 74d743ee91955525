"""The endpoints of a connection as conntrack knows them, for `--ctorigdst` and similar options."""

from rules.packets.packet import Field

ENDS = {
    "ctorigsrc": (Field.SOURCE, True),
    "ctorigdst": (Field.DESTINATION, True),
    "ctreplsrc": (Field.DESTINATION, False),
    "ctrepldst": (Field.SOURCE, False),
    "ctorigsrcport": (Field.SOURCE_PORT, True),
    "ctorigdstport": (Field.SERVICE, True),
    "ctreplsrcport": (Field.SERVICE, False),
    "ctrepldstport": (Field.SOURCE_PORT, False),
}
"""Each endpoint as its first packet has it: the field, and whether before translation of the destination."""
