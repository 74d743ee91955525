"""Becoming root on the host: one middleware, so that no script mentions sudo.

The command line contains no secret and no value. A sudo password is sent first over stdin, and nothing else before the
root shell has announced itself, because sudo would take further lines for more guesses. If sudo does not read the
password (it did not ask, or the login is root already), it never reaches a shell.
"""

from dataclasses import dataclass, field

from pydantic import SecretStr

from hosts.errors import ShellRefused, SudoPasswordRefused, SudoRefused, tail
from hosts.shell import quote, reveal
from hosts.ssh.connection import Connection

_ROOT_ALREADY = 'if [ "$(id -u)" = 0 ]; then'
_ENGLISH = "LC_ALL=C; export LC_ALL"
_HERE, _GO = "stockade: root", ":"


@dataclass(frozen=True)
class RootShell:
    """How to start the shell that reads the script: the remote command, what to send at once, the line on stdout to
    wait for, and what to send before the script."""

    command: str
    head: bytes = field(default=b"", repr=False)
    awaited: bytes = b""
    tail: bytes = b""


AS_LOGIN_USER = RootShell("sh")


def as_root(word: SecretStr | None = None) -> RootShell:
    """A root shell on stdin: directly for uid 0, else through sudo, with the password `word` or without one."""
    if word is None:
        return RootShell("sh -c " + quote(f"{_ENGLISH}; {_ROOT_ALREADY} exec sh; fi; exec sudo -n -H -- sh"))
    # a password equal to the line that ends this loop leaves that line to the shell, where it has no effect
    shell = f'echo; echo "{_HERE}"; while IFS= read -r line; do if [ "$line" = {_GO} ]; then break; fi; done; exec sh'
    command = f"{_ENGLISH}; {_ROOT_ALREADY} {shell}; fi; exec sudo -S -k -H -p '' -- sh -c {quote(shell)}"
    return RootShell("sh -c " + quote(command), _line(word), f"\n{_HERE}\n".encode(), f"{_GO}\n".encode())


_ASKS = "stockade: asked"
ENDED = "stockade: stop"
"""What a rehearsal prints on stdout if sudo asks again and cannot be killed: stdin must be closed then."""

# If sudo asks again, it is killed at once: closing its input would be another failure to PAM (pam_faillock counts it).
# The login may kill it, because its real user id is still the login's.
_REHEARSAL = " ".join(
    (
        f'{_ENGLISH}; {_ROOT_ALREADY} exit 0; fi; p=$(printf "%s\\n." "{_ASKS}");',
        r'{ sh -c "echo \$\$; exec sudo -S -k -p \"\$1\" -- true 2>&1" sh "${p%.}"; e=$?; echo; echo "ended $e"; } | {',
        f'read -r pid; asked=; while IFS= read -r line; do case $line in *"{_ASKS}"*)',
        'if [ -n "$asked" ]; then echo "sudo: incorrect password" >&2;',
        f'kill -KILL "$pid" 2>/dev/null || echo "{ENDED}"; fi; asked=yes ;;',
        '"ended "*) exit "${line#ended }" ;; *) printf "%s\\n" "$line" >&2 ;; esac; done; exit 1; }',
    )
)


def rehearsal(word: SecretStr | None) -> RootShell:
    """Return how to run sudo once with only the password on stdin, or how to find out whether it asks for one at
    all."""
    if word is None:
        return RootShell("sh -c " + quote(f"{_ENGLISH}; {_ROOT_ALREADY} exit 0; fi; exec sudo -n -- true"))
    return RootShell("sh -c " + quote(_REHEARSAL), _line(word))


def _line(word: SecretStr) -> bytes:
    return f"{reveal(word)}\n".encode("utf-8", "surrogateescape")


def refused(connection: Connection, stderr: str, status: int | None) -> SudoRefused | None:
    """Return the error that matches sudo's message; None if it was not sudo that failed."""
    said = stderr.lower()
    user = connection.user
    known = (
        (
            "must have a tty",
            f"sudo requires a terminal (requiretty) for {user}",
            _hint(user, "Defaults:{} !requiretty"),
        ),
        (
            "a password is required",
            f"sudo asks {user} for a password",
            "Give it as sudoPassword, or: " + _nopasswd(user),
        ),
        ("no password was provided", f"sudo did not accept the sudoPassword of {user}", _ROTATING),
        ("sorry, try again", f"sudo did not accept the sudoPassword of {user}", _ROTATING),
        ("incorrect password", f"sudo did not accept the sudoPassword of {user}", _ROTATING),
        ("not in the sudoers file", f"{user} may not use sudo", _nopasswd(user)),
        ("is not allowed to", f"{user} may not become root with sudo", _nopasswd(user)),
        ("account validation failure", f"sudo: the account of {user} is locked or expired", ""),
    )
    for words, message, hint in known:
        if words in said:
            wrong = hint is _ROTATING
            return (SudoPasswordRefused if wrong else SudoRefused)(message, hint=hint, secrets=connection.secrets())
    if status == 127 and "sudo" in said:
        return SudoRefused(f"{user} is not root, and there is no sudo on the host", hint="Log in as root (bootstrap).")
    if "sudo:" in said:
        return SudoRefused(f"sudo failed for {user}: {tail(stderr, 3)}", secrets=connection.secrets())
    return None


_ROTATING = (
    "It is not tried again in this run. While a password is being changed, give both, the new one first: "
    "`sudoPassword: [new, old]`."
)
_OWN_COMMAND = "ForceCommand in sshd_config, command= in authorized_keys, or a login shell such as nologin"


def no_shell(connection: Connection, stdout: str, stderr: str, status: int) -> ShellRefused:
    """The error for a login that ran something other than the requested shell."""
    user, said = connection.user, tail(f"{stdout}\n{stderr}", 3)
    if "password change required" in said.lower() or "password has expired" in said.lower():
        return ShellRefused(f"the password of {user} has expired and must be changed first: {said}")
    if "account is currently not available" in said.lower():
        return ShellRefused(f"the login shell of {user} refuses logins; it said: {said}")
    detail = f"it said: {said}" if said else "it said nothing"
    return ShellRefused(
        f"{user} gets no shell: the host runs its own command instead ({_OWN_COMMAND}), which ended with exit "
        f"status {status}; {detail}",
        secrets=connection.secrets(),
    )


def _hint(user: str, line: str) -> str:
    return f"In /etc/sudoers.d: {line.format(user)}"


def _nopasswd(user: str) -> str:
    return _hint(user, "{} ALL=(ALL:ALL) NOPASSWD: ALL")
