"""Names and lines of sysctl(8), as people write them and as they are stored.

A name is stored as its path under /proc/sys (`net/ipv4/conf/all/rp_filter`), and shown with dots if that is
unambiguous. Source: sysctl.d(5), ip-sysctl in the kernel's documentation.
"""

import re
from collections.abc import Mapping

from components.config.names import shown

_PART = re.compile(r"[A-Za-z0-9_.:@+-]+")
_LONGEST = 200
_ALL = re.compile(r"net/(ipv[46])/conf/all/(\w+)")
_ONE = re.compile(r"net/(ipv[46])/conf/([^/]+)/(\w+)")

EITHER, BOTH, HIGHEST, OWN = "either", "both", "highest", "own"
OF_INTERFACES: Mapping[str, Mapping[str, str]] = {
    "ipv4": {
        "accept_local": EITHER,
        "accept_redirects": EITHER,
        "accept_source_route": BOTH,
        "arp_announce": HIGHEST,
        "arp_filter": EITHER,
        "arp_ignore": HIGHEST,
        "log_martians": EITHER,
        "proxy_arp": EITHER,
        "rp_filter": HIGHEST,
        "secure_redirects": EITHER,
        "send_redirects": EITHER,
    },
    "ipv6": {"accept_ra": OWN, "accept_redirects": OWN, "accept_source_route": OWN, "autoconf": OWN},
}
"""How the kernel combines `conf.all` with an interface's own value. Other settings need only `conf.all`."""


def path_of(name: str) -> str:
    """Return the path for a name. If its first separator is a dot, dots and slashes are swapped.

    Raises ValueError for an invalid name.
    """
    first = re.search(r"[./]", name)
    path = name.translate(str.maketrans("./", "/.")) if first and first[0] == "." else name
    parts = path.split("/")
    if len(name) > _LONGEST or len(parts) < 2 or not all(_PART.fullmatch(part) and part.strip(".") for part in parts):
        raise ValueError(f"{shown(name)} is not the name of a sysctl(8) setting, such as net.ipv4.tcp_syncookies")
    return path


def name_of(path: str) -> str:
    """Return a path as people write it."""
    return path if "." in path else path.replace("/", ".")


def value_of(value: object) -> str:
    """Return a value as one line, as the kernel prints it. Raises ValueError."""
    text = str(value).strip()
    if isinstance(value, bool):
        raise ValueError("expected a number or text; use 1 or 0 for yes or no")
    if not text or not text.replace("\t", " ").isprintable():
        raise ValueError("expected a number or one line of text")
    return " ".join(text.split())


def settings_in(text: str) -> dict[str, str]:
    """Parse lines in the format of sysctl.d(5) by path. Non-assignments are ignored, and the last assignment wins."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, is_one, value = line.strip().removeprefix("-").partition("=")
        if is_one and name[:1] not in ("#", ";"):
            name = name.strip()
            first = re.search(r"[./]", name)
            path = name.translate(str.maketrans("./", "/.")) if first and first[0] == "." else name
            found.pop(path, None)
            found[path] = " ".join(value.split())
    return found


def lines_of(settings: Mapping[str, str]) -> str:
    """Return the lines for settings by path, sorted, except that those that turn a host into a router come first,
    because they reset others."""
    order = sorted(settings, key=lambda path: ("forward" not in path, path))
    return "".join(f"{name_of(path)} = {settings[path]}\n" for path in order)


def for_all(path: str) -> bool:
    """Return whether a `conf.all` setting must be set on each interface too."""
    found = _ALL.fullmatch(path)
    return found is not None and found[2] in OF_INTERFACES[found[1]]


def all_of(path: str) -> str:
    """Return the `conf.all` setting that one of `default` or an interface follows; "" if it follows none."""
    found = _ONE.fullmatch(path)
    above = f"net/{found[1]}/conf/all/{found[3]}" if found is not None else ""
    return above if above != path and for_all(above) else ""


def holds(path: str, wanted: str, value: str, of_all: str) -> bool:
    """Return whether an interface with its own `value` and `of_all` for `conf.all` behaves as `wanted`."""
    found = _ONE.fullmatch(path)
    if value == wanted or found is None or found[2] == "default" or not all(map(str.isdigit, (value, wanted, of_all))):
        return value == wanted
    rule, numbers = OF_INTERFACES[found[1]].get(found[3], OWN), (int(value), int(of_all))
    if rule == EITHER:
        return any(numbers) == bool(int(wanted))
    if rule == BOTH:
        return all(numbers) == bool(int(wanted))
    return rule == HIGHEST and max(numbers) == int(wanted)
