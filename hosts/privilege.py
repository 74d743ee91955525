"""Becoming root on the host: one middleware, so that no script mentions sudo.

The command line holds no secret and no value. A sudo password goes first over stdin, then a line with a random mark:
what sudo didn't read (it did not ask, or we are root already) is dropped up to the mark and never reaches a shell.
"""

import secrets as random
from dataclasses import dataclass, field

from hosts.connection import Connection
from hosts.errors import ShellRefused, SudoRefused, tail
from hosts.shell import quote, reveal

_ROOT_ALREADY = 'if [ "$(id -u)" = 0 ]; then'


@dataclass(frozen=True)
class Entry:
    """How to start the shell that reads the script: the remote command, and what to send before the script."""

    command: str
    head: bytes = field(default=b"", repr=False)


AS_LOGIN_USER = Entry("sh")


def as_root(connection: Connection) -> Entry:
    """A root shell on stdin: directly for uid 0, else through sudo with or without a password."""
    if connection.sudo_password is None:
        return Entry("sh -c " + quote(f"{_ROOT_ALREADY} exec sh; fi; exec sudo -n -H -- sh"))
    mark = random.token_hex(16)
    eat = f'while IFS= read -r line; do if [ "$line" = {mark} ]; then break; fi; done; exec sh'
    command = f"{_ROOT_ALREADY} {eat}; fi; exec sudo -S -k -H -p '' -- sh -c {quote(eat)}"
    return Entry("sh -c " + quote(command), _password(connection) + f"{mark}\n".encode())


def rehearsal(connection: Connection) -> Entry | None:
    """Asks sudo once with the password alone on stdin; None where no password is needed.

    A wrong password must fail before any script is sent: sudo would read its next lines as further guesses.
    """
    if connection.sudo_password is None:
        return None
    command = f"{_ROOT_ALREADY} exit 0; fi; exec sudo -S -k -p '' -- true"
    return Entry("sh -c " + quote(command), _password(connection))


def _password(connection: Connection) -> bytes:
    assert connection.sudo_password is not None
    return f"{reveal(connection.sudo_password)}\n".encode()


def refused(connection: Connection, stderr: str, status: int | None) -> SudoRefused | None:
    """The error that sudo's own words stand for; None if it was not sudo that failed."""
    said = stderr.lower()
    user = connection.user
    known = (
        ("must have a tty", f"sudo wants a terminal (requiretty) for {user}", _hint(user, "Defaults:{} !requiretty")),
        (
            "a password is required",
            f"sudo asks {user} for a password",
            "Give it as sudoPassword, or: " + _nopasswd(user),
        ),
        ("no password was provided", f"sudo did not take the sudoPassword of {user}", ""),
        ("sorry, try again", f"sudo did not take the sudoPassword of {user}", ""),
        ("incorrect password", f"sudo did not take the sudoPassword of {user}", ""),
        ("not in the sudoers file", f"{user} may not use sudo", _nopasswd(user)),
        ("is not allowed to", f"{user} may not become root with sudo", _nopasswd(user)),
        ("account validation failure", f"sudo: the account of {user} is locked or expired", ""),
    )
    for words, message, hint in known:
        if words in said:
            return SudoRefused(message, hint=hint, secrets=connection.secrets())
    if status == 127 and "sudo" in said:
        return SudoRefused(f"{user} is not root, and there is no sudo on the host", hint="Log in as root (bootstrap).")
    if "sudo:" in said:
        return SudoRefused(f"sudo failed for {user}: {tail(stderr, 3)}", secrets=connection.secrets())
    return None


_OWN_COMMAND = "ForceCommand in sshd_config, command= in authorized_keys, or a login shell such as nologin"


def no_shell(connection: Connection, stdout: str, stderr: str, status: int) -> ShellRefused:
    """The error for a login where something else ran than the shell that was asked for."""
    user, said = connection.user, tail(f"{stdout}\n{stderr}", 3)
    if "password change required" in said.lower() or "password has expired" in said.lower():
        return ShellRefused(f"the password of {user} has expired and must be changed first: {said}")
    if "account is currently not available" in said.lower():
        return ShellRefused(f"the login shell of {user} lets nobody in; it said: {said}")
    told = f"it said: {said}" if said else "it said nothing"
    return ShellRefused(
        f"{user} gets no shell: the host runs a command of its own instead ({_OWN_COMMAND}), which ended with exit "
        f"status {status}; {told}",
        secrets=connection.secrets(),
    )


def _hint(user: str, line: str) -> str:
    return f"In /etc/sudoers.d: {line.format(user)}"


def _nopasswd(user: str) -> str:
    return _hint(user, "{} ALL=(ALL:ALL) NOPASSWD: ALL")
