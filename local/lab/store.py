"""The lab's files, and the list of its hosts.

There are three places. The cache has root file systems and host keys, and survives everything but `down --purge`. The
run folder of the machine has the running hosts of all checkouts, so that these see each other. `.lab/` of the checkout
has the login key, known_hosts and ssh_config.
"""

import fcntl
import json
import os
import re
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from local.lab.errors import LabError

CACHE_VARIABLE = "STOCKADE_LAB_CACHE"
DEFAULT_CACHE = "/var/cache/stockade-lab"
RUN_FOLDER = Path("/run/stockade-lab")
NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
WEB_NAME = re.compile(r"web([1-9][0-9]?)")
IPV4_NETWORK = "198.51.100"  # RFC 5737, documentation
IPV6_NETWORK = "2001:db8:57:"  # RFC 3849, documentation
WEB_BASE = 10  # web1 is .11
OTHER_NAMES = range(110, 200)
LAST_WEB = 99


@dataclass(frozen=True)
class Places:
    """The folders of one checkout's lab.

    Attributes:
        checkout: the repository's root; it owns the hosts that it starts.
        cache: what is built once.
        run: running hosts of the whole machine.
    """

    checkout: Path
    cache: Path
    run: Path = RUN_FOLDER

    @property
    def state(self) -> Path:
        """`.lab/` of the checkout."""
        return self.checkout / ".lab"

    def host_run(self, name: str) -> Path:
        """Folder of a running host: its record, control socket and log."""
        return self.run / "hosts" / name

    def host_cache(self, name: str) -> Path:
        """What a host keeps across down and up: its SSH host keys and machine id."""
        return self.cache / "hosts" / name


def default_places(checkout: Path | None = None) -> Places:
    """The places of `checkout`, by default that of this file; STOCKADE_LAB_CACHE overrides the cache."""
    top = checkout or Path(__file__).resolve().parents[2]
    return Places(checkout=top, cache=Path(os.environ.get(CACHE_VARIABLE) or DEFAULT_CACHE))


@dataclass(frozen=True)
class HostRecord:
    """A host that was started and has not been taken down.

    Attributes:
        name: host name.
        variant: kind of host.
        index: last part of its addresses, 11 to 199.
        ipv4: IPv4 address, without prefix length (24).
        ipv6: IPv6 address, without prefix length (64).
        checkout: the checkout that started it.
        built: folder with its `root` file system and `apt` repository.
    """

    name: str
    variant: str
    index: int
    ipv4: str
    ipv6: str
    checkout: str
    built: str

    @property
    def cache(self) -> Path:
        """What the host keeps across down and up: its SSH host keys and machine id."""
        return Path(self.built).parent / "hosts" / self.name

    @property
    def mac(self) -> str:
        """The MAC address of eth0, fixed so that neighbours need not learn a new one after a reboot."""
        return f"02:00:5e:10:00:{self.index:02x}"


def new_record(name: str, variant: str, index: int, checkout: Path, built: Path) -> HostRecord:
    """The record of a host with the addresses of `index`."""
    ipv4, ipv6 = f"{IPV4_NETWORK}.{index}", f"{IPV6_NETWORK}:{index}"
    return HostRecord(name, variant, index, ipv4, ipv6, str(checkout), str(built))


def check_name(name: str) -> str:
    """Return `name` if it can name a host.

    Raises:
        LabError: it cannot.
    """
    if not NAME.fullmatch(name):
        raise LabError(f"{name!r} cannot name a host: use up to 31 of a-z, 0-9 and -, a letter first")
    return name


def pick_index(name: str, taken: Collection[int], last: int | None = None) -> int:
    """The last part of a host's addresses: web1 is always 11, web2 12; other names get their last one, otherwise the
    lowest free one.

    Args:
        taken: those of running hosts.
        last: the one that this host had last time.

    Raises:
        LabError: all are taken.
    """
    web = WEB_NAME.fullmatch(name)
    if web and int(web[1]) <= LAST_WEB:
        return WEB_BASE + int(web[1])
    if last is not None and last in OTHER_NAMES and last not in taken:
        return last
    for index in OTHER_NAMES:
        if index not in taken:
            return index
    raise LabError(f"no address is left for {name}: take hosts down first (stockade lab down NAME)")


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Hold the lock of `folder`: one process at a time on this machine. It is released when the process ends.

    Yields:
        The lock's file descriptor; a child that inherits it holds the lock, too, until it closes it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle.fileno()


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace the file at `path` atomically: readers see the old or the new text."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "w") as out:
        out.write(text)
    draft.replace(path)


def save_record(places: Places, record: HostRecord) -> None:
    """Save the record of a host."""
    folder = places.host_run(record.name)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "record.json", json.dumps(asdict(record), indent=1) + "\n")


def read_record(folder: Path) -> HostRecord | None:
    """The record in a host's run folder; None if it is missing or incomplete (a killed `up`)."""
    try:
        return HostRecord(**json.loads((folder / "record.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def host_folders(places: Places) -> list[Path]:
    """The run folders of all hosts on the machine; their parent may vanish at any moment, with the last host."""
    try:
        return list((places.run / "hosts").iterdir())
    except FileNotFoundError:
        return []


def all_records(places: Places) -> list[HostRecord]:
    """Every host on the machine, of all checkouts, by address."""
    found = [read_record(entry) for entry in host_folders(places)]
    return sorted((record for record in found if record), key=lambda record: record.index)
