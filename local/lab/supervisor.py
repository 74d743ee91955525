"""The supervisor of one host: owns its disk, starts systemd-nspawn, restarts it when the host reboots, and takes
orders on a Unix socket.

`up` starts it, detached: python -m local.lab.supervisor RUN_FOLDER READY_FD LOCK_FD. It inherits the host's lock and
releases it when the socket listens, so that nobody else starts the host in between.
"""

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from local.lab import cgroup
from local.lab.control import CONTROL_SOCKET, Order, Reply, read_line
from local.lab.disk import Disk
from local.lab.errors import LabError
from local.lab.network import plug, unplug
from local.lab.run import tail
from local.lab.store import HostRecord, read_record

BOOT_LIMIT = 100.0  # seconds until all services have started
POWEROFF_LIMIT = 5.0  # seconds to shut down before it is killed
REBOOT_LIMIT = 30.0
KILL_LIMIT = 10.0
ORDER_LIMIT = 5.0  # seconds for a client to send its order
REBOOT_STATUS = 133  # systemd-nspawn's status if the host asked for a reboot
SYSTEMD_SIGNALS = (signal.SIGRTMIN + 4, signal.SIGRTMIN + 5)  # systemd(1): power off, reboot
SYSV_SIGNALS = (signal.SIGPWR, signal.SIGINT)  # init(8): powerfail and ctrlaltdel of /etc/inittab

_IN_CGROUP = 'echo 0 >"$1/cgroup.procs" && shift && exec "$@"'
_NSPAWN_SETTINGS = {
    "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",  # /proc/sys/net is the host's own
    "SYSTEMD_NSPAWN_LOCK": "0",
    "SYSTEMD_NSPAWN_TMPFS_TMP": "0",  # Debian 12 has /tmp on disk
}


class Supervisor:
    """Boots one host, watches it and obeys orders until it is taken down."""

    def __init__(self, folder: Path, record: HostRecord) -> None:
        """`folder` is the host's run folder."""
        self._folder = folder
        self._record = record
        self._disk = Disk(record, folder)
        self._boots = 0
        self._init_pid = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._pidfd = -1
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._poweroff_signal, self._reboot_signal = SYSTEMD_SIGNALS

    def listen(self) -> None:
        """Create the sockets; clients wait while the host boots."""
        for name, sock in (("notify", self._notify), (CONTROL_SOCKET, self._listener)):
            path = self._folder / name
            path.unlink(missing_ok=True)
            sock.bind(str(path))
        self._listener.listen(16)

    def start(self) -> None:
        """Prepare mounts, cgroup and disk, and boot for the first time."""
        cgroup.mount_private()
        cgroup.enter(cgroup.make(self._record.name, "supervisor"))
        self._mount_nspawn_folder()
        self._disk.make()
        if self._sysv:
            self._poweroff_signal, self._reboot_signal = SYSV_SIGNALS
        self._boot()

    @property
    def _sysv(self) -> bool:
        return (self._disk.root / "etc/inittab").exists()

    @staticmethod
    def _mount_nspawn_folder() -> None:
        """Mount a tmpfs on /run/systemd/nspawn: files that systemd-nspawn leaves there vanish with our mounts."""
        folder = Path("/run/systemd/nspawn")
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "stockade-lab", str(folder)], check=True)

    def serve(self) -> None:
        """Obey orders, and restart the host when it reboots, until it is ordered down."""
        while True:
            with selectors.DefaultSelector() as selector:
                selector.register(self._listener, selectors.EVENT_READ)
                selector.register(self._notify, selectors.EVENT_READ)
                if self._pidfd >= 0:
                    selector.register(self._pidfd, selectors.EVENT_READ)
                ready = {key.fileobj for key, _ in selector.select()}
            self._forget_notices()
            if self._pidfd in ready:
                self._after_exit()
            if self._listener in ready:
                client, _ = self._listener.accept()
                with client:
                    if not self._answer(client):
                        return

    def stop(self) -> None:
        """Stop the host, and remove its port, disk and cgroups."""
        self._stop(POWEROFF_LIMIT)
        unplug(self._record)
        with contextlib.suppress(LabError):
            self._disk.discard()
        cgroup.leave_and_remove(self._record.name)

    def _answer(self, client: socket.socket) -> bool:
        """Obey one client's order; False if it was the last one."""
        client.settimeout(ORDER_LIMIT)
        try:
            order = Order(read_line(client))
        except (OSError, ValueError):
            return True  # not a client of ours, or gone
        try:
            self._obey(order)
            reply = self.reply()
        except (LabError, OSError) as err:
            reply = self.reply(str(err))
        with contextlib.suppress(OSError):
            client.sendall(reply.encode())
        if order is Order.DOWN:
            client.detach()  # stays open until this process ends, which the client waits for
            return False
        return True

    def _obey(self, order: Order) -> None:
        if order is Order.START and self._process is None:
            self._boot()
        elif order is Order.RESET:
            self._stop(POWEROFF_LIMIT)
            self._disk.discard()
            self._disk.make()
            self._boot()
        elif order is Order.REBOOT:
            self._signal_init(self._reboot_signal)
            if not self._wait_exit(REBOOT_LIMIT):
                raise LabError(f"{self._record.name} did not shut down for its reboot within {REBOOT_LIMIT:.0f} s")
            self._reap()
            self._boot()
        elif order is Order.POWER_CYCLE:
            self._stop(0)
            self._boot()
        elif order is Order.DOWN:
            self.stop()

    def _boot(self) -> None:
        self._boots += 1
        namespace = self._folder / "net"
        plug(self._record, namespace)
        if self._sysv:  # lacks this file, which systemd-nspawn requires; its boot removes it
            (self._disk.root / "usr/lib/os-release").touch()
        group = cgroup.make(self._record.name, f"boot{self._boots}")
        env = {**os.environ, **_NSPAWN_SETTINGS, "NOTIFY_SOCKET": str(self._folder / "notify")}
        self._forget_notices()
        with (self._folder / "console.log").open("wb") as console:
            self._process = subprocess.Popen(
                ["sh", "-c", _IN_CGROUP, "sh", str(group), *self._nspawn(namespace)],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env=env,
            )
        self._pidfd = os.pidfd_open(self._process.pid)
        self._wait_ready()

    def _nspawn(self, namespace: Path) -> list[str]:
        return [
            "systemd-nspawn",
            "--quiet",
            "--boot",
            f"--directory={self._disk.root}",
            f"--machine={self._record.name}",
            f"--network-namespace-path={namespace}",
            f"--bind-ro={(Path(self._record.built) / 'apt').resolve()}:/srv/apt",
            "--capability=CAP_NET_ADMIN",
            "--register=no",
            "--keep-unit",
            "--notify-ready=yes",
            "--link-journal=no",
            "--resolv-conf=off",
            "--timezone=off",
            "--console=read-only",
            # SysV init does not support sd_notify(3), and nspawn accepts notifications only from process 1
            *([f"--bind={self._folder / 'notify'}:/run/lab-ready"] if self._sysv else ()),
        ]

    def _forget_notices(self) -> None:
        """Drop the notifications of a running host. Every `systemctl daemon-reload` ends with READY=1, which must not
        count for a later boot, and systemd 257 blocks if nobody reads them."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._notify.recv(4096, socket.MSG_DONTWAIT)

    def _wait_ready(self) -> None:
        """Wait until the host reports that everything has started."""
        deadline = time.monotonic() + BOOT_LIMIT
        with selectors.DefaultSelector() as selector:
            selector.register(self._notify, selectors.EVENT_READ)
            selector.register(self._pidfd, selectors.EVENT_READ)
            while (left := deadline - time.monotonic()) > 0:
                ready = {key.fileobj for key, _ in selector.select(left)}
                if self._notify in ready:
                    lines = self._notify.recv(4096).decode(errors="replace").splitlines()
                    for line in lines:
                        key, _, value = line.partition("=")
                        if key == "X_NSPAWN_LEADER_PID":
                            self._init_pid = int(value)
                    if "READY=1" in lines:
                        return
                elif self._pidfd in ready:
                    break
        said = tail((self._folder / "console.log").read_text(errors="replace"))
        self._stop(0)
        raise LabError(f"{self._record.name} did not boot ({self._folder / 'console.log'}): {said}")

    def _after_exit(self) -> None:
        """Handle the host's own exit: start it again if it asked for a reboot, otherwise leave it off."""
        if self._reap() == REBOOT_STATUS:
            try:
                self._boot()
            except LabError as err:
                sys.stderr.write(f"{err}\n")

    def _stop(self, grace: float) -> None:
        """Switch the host off: by its own shutdown if that takes at most `grace` seconds, else like a power cut."""
        if self._process is None:
            return
        if grace:
            self._signal_init(self._poweroff_signal)
        if not (grace and self._wait_exit(grace)):
            self._signal_init(signal.SIGKILL)
            if not self._wait_exit(KILL_LIMIT):
                self._process.kill()
        self._reap()

    def _signal_init(self, number: int) -> None:
        if self._process is None:
            raise LabError(f"{self._record.name} is off: start it with stockade lab up {self._record.name}")
        if self._init_pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._init_pid, number)
        else:
            self._process.terminate()

    def _wait_exit(self, limit: float) -> bool:
        deadline = time.monotonic() + limit
        with selectors.DefaultSelector() as selector:
            selector.register(self._pidfd, selectors.EVENT_READ)
            selector.register(self._notify, selectors.EVENT_READ)
            while (left := deadline - time.monotonic()) > 0:
                ready = {key.fileobj for key, _ in selector.select(left)}
                if self._pidfd in ready:
                    return True
                self._forget_notices()
        return False

    def _reap(self) -> int:
        """Return systemd-nspawn's exit status and remove the cgroup of that boot."""
        assert self._process is not None
        status = self._process.wait(KILL_LIMIT)
        os.close(self._pidfd)
        self._process, self._pidfd, self._init_pid = None, -1, 0
        cgroup.remove(cgroup.TOP / self._record.name / f"boot{self._boots}")
        return status

    def reply(self, error: str = "") -> Reply:
        """The reply to clients after each order."""
        return Reply(
            state="running" if self._process else "off",
            init_pid=self._init_pid,
            supervisor_pid=os.getpid(),
            boots=self._boots,
            error=error,
        )


def main() -> None:
    """Boot the host of the run folder, report the result to the starter over the pipe, then supervise the host."""
    folder, ready_fd, lock_fd = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    record = read_record(folder)
    if record is None:
        raise SystemExit(f"no record in {folder}")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    supervisor = Supervisor(folder, record)
    supervisor.listen()
    os.close(lock_fd)
    try:
        problem = _start(supervisor)
        with contextlib.suppress(BrokenPipeError):  # the starter was killed: keep the host anyway
            os.write(ready_fd, supervisor.reply(problem).encode())
        os.close(ready_fd)
        if not problem:
            supervisor.serve()
            return
    except SystemExit:
        pass
    supervisor.stop()


def _start(supervisor: Supervisor) -> str:
    """Start the host; returns the error, or an empty string."""
    try:
        supervisor.start()
    except (LabError, OSError, subprocess.SubprocessError) as err:
        sys.stderr.write(f"{err}\n")
        return str(err)
    return ""


if __name__ == "__main__":
    main()
