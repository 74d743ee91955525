"""A disposable root file system in which scripts for hosts really run, in each sh that hosts have, with stub programs.

The fixture `stage` is one `Stage` for each installed shell. Programs there see their own root file system with the
usual tools (`TOOLS`, this machine's, read-only), their own processes, and no network. Other programs exist only if the
test adds them: no package manager, no systemctl, no iptables. `/etc`, `/var/lib/stockade`, `/run` and others are
directories of the test, so that scripts run unchanged.

    def test_it(stage: Stage) -> None:
        stage.program("apt-get", "echo 'Inst cron (1 stable)'")
        answer = stage.one(Script("plan", script("...") + "pkg_plan cron '' ''", {...}))
        assert stage.calls("apt-get") == [["-s", "install", "cron"]]

Processes that a script leaves behind run until the test ends (`stage.processes()`), as on a host.
"""

import atexit
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from hosts.shell import Answer, Script, compose, parse

SHELLS = ("dash", "bash", "busybox") if os.environ.get("STOCKADE_SHELLS") == "all" else ("dash",)
"""The shells of hosts; `make test` uses all of them, `make check` one."""
TIMEOUT = 60
TOOLS = (
    *("awk", "base64", "basename", "cat", "chgrp", "chmod", "chown", "cksum", "cmp", "comm", "cp", "cut", "date", "dd"),
    *("df", "diff", "dirname", "du", "env", "expr", "false", "find", "flock", "getent", "grep", "gzip", "head", "id"),
    *("install", "kill", "ln", "ls", "md5sum", "mkdir", "mkfifo", "mknod", "mktemp", "mv", "nl", "od", "paste"),
    *("printf", "ps", "pwd", "readlink", "realpath", "rm", "rmdir", "runuser", "sed", "seq", "setpriv", "setsid"),
    *("sha256sum", "sleep", "sort", "stat", "su", "sync", "tac", "tail", "tar", "tee", "test", "timeout", "touch"),
    *("tr", "true", "truncate", "tty", "uname", "uniq", "wc", "xargs"),
)
"""Programs of this machine that are available to scripts: those that every host has."""

_FOLDERS = (
    *("etc", "home", "host", "proc", "dev", "root", "run/lock", "stage", "tmp", "var/lib", "var/log"),
    *("usr/bin", "usr/sbin", "usr/lib", "usr/local/bin", "usr/local/sbin"),
)
_LIBRARIES = re.compile(r"ld-|ld64|libc\.|.*-linux-")
"""Entries of /lib that programs need to start; the rest is the stage's own."""
_SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
_GROUP = "root:x:0:\nnogroup:x:65534:\n"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_OWN_FIRST = "PATH=/nowhere; cat </dev/null"
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
# The init process of a stage: it prints its pid and runs until its stdin ends; everything ends with it.
_KEEPER = """\
mount --all --fstab "$1/stage/fstab" || exit
cd "$1"
read -r pid _ </proc/self/stat
exec chroot . /stage/sh -c 'echo "$1"; while read -r _; do :; done' sh "$pid"
"""
_STUB = """\
#!/stage/sh
printf '%s\\0' "$#" "$$" "${0##*/}" "$@" >>/stage/calls
"""
_READS = """\
cat >"/stage/stdin.$$"
printf '%s\\0' stdin "$$" >>/stage/calls
exec <"/stage/stdin.$$"
"""


@dataclass(frozen=True)
class Call:
    """A call of a stub program; `stdin` if it reads that."""

    program: str
    arguments: tuple[str, ...]
    stdin: str | None = None

    def __str__(self) -> str:
        return " ".join((self.program, *self.arguments))


@cache
def missing(shell: str) -> str | None:
    """Return why there is no stage for a shell on this machine, or None."""
    if sys.platform != "linux":
        return "needs Linux's namespaces"
    if not shutil.which(shell):
        return f"{shell} is not installed"
    if (
        shell == "busybox"
        and not subprocess.run([shell, "sh", "-c", _OWN_FIRST], capture_output=True, check=False).returncode
    ):
        return "this busybox takes its own programs before those of PATH, stubs too (busybox-static of Debian does)"
    tried = subprocess.run(
        [*_apart(), "sh", "-c", "mount -t proc proc /mnt && mount -t tmpfs tmpfs /mnt"],
        capture_output=True,
        check=False,
    )
    return f"no namespaces here: {tried.stderr.decode().strip()}" if tried.returncode else None


def _apart() -> list[str]:
    """Return the command that runs a program in its own namespaces, where it may mount, even as another user."""
    own = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *own, "--mount", "--pid", "--net", "--fork", "--kill-child"]


@cache
def _tools(shell: str) -> str:
    """Create the directory that is /usr/bin of stages with this shell."""
    folder = Path(tempfile.mkdtemp(prefix="stockade-stage-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o755)
    path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin"
    for name in TOOLS:
        # waiting for the disk would test nothing
        if found := shutil.which("true" if name == "sync" else name, path=path):
            (folder / name).symlink_to(f"/host{os.path.realpath(found)}")
    own = os.path.realpath(shutil.which(shell) or "")
    if own.split("/")[1] not in _folders():  # a program installed elsewhere
        shutil.copy(own, folder / "own-sh")
        (folder / "sh").symlink_to("own-sh")
    else:
        (folder / "sh").symlink_to(f"/host{own}")
    return str(folder)


def _state(pid: int) -> str:
    """Return the state of a process as in proc(5); Z if it does not exist."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return "Z"


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _folders() -> list[str]:
    """The system directories of this machine, without links."""
    return ["usr", *(name for name in _SYSTEM if Path("/", name).is_dir() and not Path("/", name).is_symlink())]


@dataclass
class Stage:
    """A root file system, and the shell that is its /bin/sh."""

    root: Path
    shell: str
    _tools: str = field(repr=False)
    """The folder of tools that is mounted at /usr/bin; "" if /usr/bin is the stage's own."""
    _keeper: "subprocess.Popen[str] | None" = field(default=None, repr=False)
    _pid: str = ""

    @property
    def privileged(self) -> bool:
        """Whether files can be owned by other users."""
        return os.geteuid() == 0

    def path(self, place: str) -> Path:
        """Return the path on this machine of a path on the stage."""
        return self.root / place.lstrip("/")

    def write(self, place: str, text: str = "", mode: int = 0o644) -> Path:
        """Write a file, and create missing parents."""
        path = self.path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", "surrogateescape")
        path.chmod(mode)
        return path

    def read(self, place: str) -> str:
        """Return the content of a file; "" if it does not exist."""
        path = self.path(place)
        return path.read_text("utf-8", "surrogateescape") if path.is_file() else ""

    def folder(self, *places: str) -> None:
        """Create directories."""
        for place in places:
            self.path(place).mkdir(parents=True, exist_ok=True)

    def systemd(self) -> None:
        """Make it a host with systemd; programs such as systemctl are up to the test."""
        self.folder("/run/systemd/system", "/etc/systemd/system")

    def program(self, name: str, answer: str = ":", *, reads: bool = False) -> None:
        """Install a stub for a program: it records each call, then runs `answer` (sh, with its arguments).

        With `reads`, it also records its stdin. A `name` with slashes is its path; otherwise it is first on PATH.
        """
        place = name if "/" in name else f"/usr/local/sbin/{name}"
        if self._tools and re.match("(/usr)?/bin/", place):
            assert self._keeper is None, f"put {place} there before anything runs"
            shutil.copytree(self._tools, self.path("/usr/bin"), symlinks=True, dirs_exist_ok=True)
            self._tools = ""
        self.write(place, f"{_STUB}{_READS if reads else ''}{answer}\n", 0o755)

    def calls(self, *programs: str) -> list[Call]:
        """Return the calls of stubs, in order: of all stubs, or of these."""
        words = iter(self.read("/stage/calls").split("\0")[:-1])
        found: list[Call] = []
        process: dict[str, int] = {}
        for count in words:
            pid = next(words)
            if count == "stdin":
                call = found[process[pid]]
                found[process[pid]] = Call(call.program, call.arguments, self.read(f"/stage/stdin.{pid}"))
            else:
                process[pid] = len(found)
                found.append(Call(next(words), tuple(next(words) for _ in range(int(count)))))
        return [call for call in found if not programs or call.program in programs]

    def forget_calls(self) -> None:
        """Start a new record of calls."""
        self.path("/stage/calls").unlink(missing_ok=True)

    def run(self, *scripts: Script, stop_on_failure: bool = True) -> list[Answer | None]:
        """Run scripts as on a host: as one text on the stdin of a root shell."""
        run = compose(scripts, stop_on_failure=stop_on_failure)
        done = self._done(self._inside("/bin/sh"), run.text)
        return parse(run, done.stdout, done.stderr)

    def one(self, script: Script) -> Answer:
        """Run one script, which must run to its end."""
        [answer] = self.run(script)
        assert answer is not None, "its shell ended before its end"
        return answer

    def execute(self, *command: str, stdin: str = "", check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run a program on the stage."""
        done = self._done(self._inside(*command), stdin.encode("utf-8", "surrogateescape"))
        if check and done.returncode:
            raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
        output, errors = (text.decode("utf-8", "surrogateescape") for text in (done.stdout, done.stderr))
        return subprocess.CompletedProcess(command, done.returncode, output, errors)

    def _done(self, command: list[str], stdin: bytes) -> "subprocess.CompletedProcess[bytes]":
        """Run it to its end. nsenter stops when its program is stopped, and would then miss its end."""
        end = time.monotonic() + TIMEOUT
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env={"PATH": _PATH}) as process:
            given: bytes | None = stdin
            while True:
                try:
                    output = process.communicate(given, timeout=0.2)
                    return subprocess.CompletedProcess(command, process.returncode, *output)
                except subprocess.TimeoutExpired:
                    given = None  # it continues with the input that it got first
                    if _state(process.pid) == "T" and all(_state(child) == "Z" for child in _children(process.pid)):
                        process.send_signal(signal.SIGCONT)
                    if time.monotonic() > end:
                        process.kill()
                        raise

    def command(self, *command: str) -> list[str]:
        """Return the command that runs a program on the stage from this machine."""
        return self._inside("/stage/env", "-i", f"PATH={_PATH}", *command)

    def _inside(self, *command: str) -> list[str]:
        """The same, for a process that has the stage's environment already."""
        if self._keeper is None:
            self._open()
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        return ["nsenter", "--target", self._pid, *user, "--mount", "--pid", "--net", "--root", "--wd", *command]

    def processes(self) -> set[str]:
        """Return the command lines of the running processes of the stage."""
        inside = (
            'cd /proc && for p in [0-9]*; do [ "$p" = 1 ] || { tr "\\0" " " <"$p/cmdline"; echo; }; done 2>/dev/null'
        )
        lines = self.execute("/stage/sh", "-c", inside).stdout.splitlines()
        return {line.strip() for line in lines if line.strip() and "/proc" not in line and not line.startswith("tr ")}

    def _open(self) -> None:
        self.write("/stage/fstab", "".join(f"{line} 0 0\n" for line in self._mounts()))
        self._keeper = subprocess.Popen(
            [*_apart(), "sh", "-c", _KEEPER, "sh", str(self.root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._keeper.stdout
        self._pid = self._keeper.stdout.readline().strip()
        assert self._pid, "the stage did not open"

    def _mounts(self) -> Iterator[str]:
        """Yield lines of fstab(5)."""
        root = str(self.root).replace(" ", "\\040")
        yield f"{root} {root} none bind"  # so that scripts may mount in a namespace of their own
        if self._tools:
            yield f"{self._tools} {root}/usr/bin none bind"
        for folder in _folders():
            yield f"/{folder} {root}/host/{folder} none rbind,ro"
        for node in _DEVICES:  # a mount: a wrong line must not replace the machine's
            self.write(f"/dev/{node}")
            yield f"/dev/{node} {root}/dev/{node} none bind"
        yield f"proc {root}/proc proc defaults"

    def close(self) -> None:
        """End all processes."""
        if self._keeper is not None:
            with suppress(OSError):
                self._keeper.communicate(timeout=TIMEOUT)
            self._keeper = None


def staged(root: Path, shell: str) -> Stage:
    """Create the root file system of a stage."""
    for folder in (*_FOLDERS, *(f"host/{name}" for name in _folders())):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name in _SYSTEM:
        link = Path("/", name)
        if link.is_symlink():
            (root / "host" / name).symlink_to(os.readlink(link).lstrip("/"))
        if name.startswith("lib") and name != "lib" and link.exists():
            (root / name).symlink_to(f"host/{name}")
    for path in Path("/lib").iterdir():
        if _LIBRARIES.match(path.name):
            (root / "usr/lib" / path.name).symlink_to(f"/host{path}")
    for name in ("bin", "sbin", "lib"):
        (root / name).symlink_to(f"usr/{name}")
    stage = Stage(root, shell, _tools(shell))
    for name, place in (("sh", shutil.which("dash") or shutil.which("sh")), ("env", shutil.which("env"))):
        (root / "stage" / name).symlink_to(f"/host{os.path.realpath(place or '')}")
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        (root / "dev" / name).symlink_to(target)
    (root / "tmp").chmod(0o1777)
    stage.write("/etc/passwd", _PASSWD)
    stage.write("/etc/group", _GROUP)
    stage.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    return stage


@pytest.fixture(params=[shell for shell in SHELLS if shutil.which(shell)] or SHELLS)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A stage for each shell."""
    if (why := missing(request.param)) is not None:
        pytest.skip(why)
    made = staged(tmp_path / "root", request.param)
    yield made
    made.close()


@pytest.fixture
def one_stage(tmp_path: Path) -> Iterator[Stage]:
    """A stage for dash only, for tables of cases that do not depend on the shell."""
    if (why := missing("dash")) is not None:
        pytest.skip(why)
    made = staged(tmp_path / "root", "dash")
    yield made
    made.close()
