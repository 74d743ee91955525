"""A host's disk: a writable layer in memory on top of the shared root file system.

It is mounted in the mount namespace of the host's supervisor, so every mount ends with that process.
"""

import shutil
from pathlib import Path

from local.lab.run import run
from local.lab.store import HostRecord

DISK_SIZE = "2g"  # a limit, not a reservation: beyond it, the host gets "No space left on device"

_MOUNT = """\
set -eu
mount -t tmpfs -o "size=$1,mode=755" stockade-lab "$2"
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay -o "redirect_dir=on,lowerdir=$3,upperdir=$2/upper,workdir=$2/work" stockade-lab "$2/root"
"""


def layers(built: Path) -> list[Path]:
    """The layers of the root file system in a folder of the cache, topmost first."""
    below = built / "below"
    return [built / "root", *(layers(below.resolve().parent) if below.exists() else ())]


class Disk:
    """The disk of one host, mounted at `root`."""

    def __init__(self, record: HostRecord, run_folder: Path) -> None:
        """`run_folder` is the host's own."""
        self._record = record
        self._base = run_folder / "disk"
        self.root = self._base / "root"

    def make(self) -> None:
        """Mount a pristine disk and write this host's name, addresses and keys to it."""
        self._base.mkdir(exist_ok=True)
        lower = ":".join(map(str, layers(Path(self._record.built))))
        run(["sh", "-c", _MOUNT, "sh", DISK_SIZE, str(self._base), lower], name="mounting the disk")
        self._personalise()

    def discard(self) -> None:
        """Unmount it, which discards everything that the host wrote."""
        run(["umount", str(self.root)])
        run(["umount", str(self._base)])

    def _personalise(self) -> None:
        record, etc = self._record, self.root / "etc"
        (etc / "hostname").write_text(f"{record.name}\n")
        (etc / "hosts").write_text(
            f"127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n{record.ipv4} {record.name}\n"
            f"{record.ipv6} {record.name}\n"
        )
        (etc / "lab-network").write_text(f"IPV4={record.ipv4}/24\nIPV6={record.ipv6}/64\n")
        shutil.copyfile(record.cache / "machine-id", etc / "machine-id")
        for key in (record.cache / "etc/ssh").iterdir():
            shutil.copy2(key, etc / "ssh" / key.name)
        self._let_root_in(etc)

    def _let_root_in(self, etc: Path) -> None:
        lab = Path(self._record.checkout) / ".lab"
        ssh = self.root / "root/.ssh"
        ssh.mkdir(mode=0o700, exist_ok=True)
        keys = ssh / "authorized_keys"
        keys.write_text((lab / "id_ed25519.pub").read_text())
        keys.chmod(0o600)
        password = (lab / "root_password.hash").read_text().strip()
        shadow = etc / "shadow"
        lines = [line.split(":") for line in shadow.read_text().splitlines()]
        shadow.write_text("".join(":".join([f[0], password, *f[2:]] if f[0] == "root" else f) + "\n" for f in lines))
