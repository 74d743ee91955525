"""This machine: Python, the dependencies, the engine, the SSH agent."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata

from cli.doctor.findings import About, Finding, Subject
from cli.project import HERE, installed
from cli.version import number
from hosts.errors import BadCredentials
from hosts.text.masking import shortened
from local.commands import chosen_engine

ROOTS = ("asyncssh", "pulumi", "pulumi-policy", "pydantic", "pyyaml", "rich", "typer")
"""What pyproject.toml lists."""
_LANGUAGE = "pulumi-language-python"
_LIMIT = 20


def machine() -> Iterator[Finding]:
    """Yield what was found on this machine."""
    yield Subject(About.MACHINE, "stockade").ok(
        f"{number()}, {'installed in' if installed() else 'the checkout'} {HERE}"
    )
    yield _python()
    yield _dependencies()
    yield from engine()
    yield _agent()


def _python() -> Finding:
    subject, version = Subject(About.MACHINE, "python"), ".".join(map(str, sys.version_info[:3]))
    return subject.ok(f"{version}, {sys.executable}")


def _dependencies() -> Finding:
    subject = Subject(About.MACHINE, "dependencies")
    again = "pipx reinstall stockade" if installed() else "make .venv/ready (after `rm .venv/ready`)"
    pinned, there = _pinned(), _there()
    if missing := [name for name in ROOTS if name not in there]:
        return subject.error(f"missing: {', '.join(missing)}", f"Install them: {again}")
    different = [
        f"{name} {there[name]} (tested: {pinned[name]})"
        for name in sorted(there)
        if name in pinned and pinned[name] != there[name]
    ]
    if different and not installed():
        return subject.warning(f"not those of requirements.lock: {', '.join(different)}", f"Install those: {again}")
    return subject.ok(", ".join(different) if different else f"{len(there)} packages, as pinned in requirements.lock")


def _pinned() -> dict[str, str]:
    file = HERE / "requirements.lock"
    text = file.read_text("utf-8") if file.is_file() else ""
    return dict(re.findall(r"^([a-z0-9][a-z0-9.-]*)==([^\s;\\]+)", text, re.M))


def _there() -> dict[str, str]:
    """The versions of what the roots need, as far as it is installed: extras and other platforms' packages are not."""
    found: dict[str, str] = {}
    waiting = [*ROOTS]
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        found[name] = package.version
        waiting += [match[0] for need in package.requires or () if (match := re.match(r"[\w.-]+", need))]
    return found


def engine() -> Iterator[Finding]:
    """Yield which engine a run uses."""
    subject, cli = Subject(About.MACHINE, "engine"), shutil.which("pulumi")
    try:
        chosen = chosen_engine(os.environ.get("STOCKADE_ENGINE"), cli)
    except ValueError as error:
        yield subject.error(str(error), "Unset STOCKADE_ENGINE, or correct it.")
        return
    if chosen == "embedded":
        why = "no pulumi on PATH" if cli is None else "STOCKADE_ENGINE says so"
        yield subject.ok(f"embedded ({why}; docs/engine.md)")
        return
    try:
        done = subprocess.run([str(cli), "version"], capture_output=True, text=True, timeout=_LIMIT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        yield subject.error(f"{cli} does not run: {error}", "Reinstall it, or use STOCKADE_ENGINE=embedded.")
        return
    if done.returncode:
        said = shortened(done.stderr.strip(), 300)
        yield subject.error(f"{cli} does not run: {said}", "Reinstall it, or use STOCKADE_ENGINE=embedded.")
        return
    yield subject.ok(f"the Pulumi CLI {shortened(done.stdout.strip(), 50)}, {cli}")
    if shutil.which(_LANGUAGE) is None:
        yield subject.error(
            f"{_LANGUAGE} is not on PATH", "Install the whole archive of Pulumi, or use STOCKADE_ENGINE=embedded."
        )


def _agent() -> Finding:
    subject, socket = Subject(About.MACHINE, "ssh agent"), os.environ.get("SSH_AUTH_SOCK")
    if not socket:
        return subject.ok("none: keys come from files")
    from hosts.ssh.credentials import agent_keys

    async def keys() -> int:
        agent, found = await agent_keys(socket)
        agent.close()
        return len(found)

    loop = asyncio.new_event_loop()  # of its own: `asyncio.run` would leave this thread without one
    try:
        count = loop.run_until_complete(keys())
    except BadCredentials as error:
        return subject.warning(error.message, "Start an agent, or unset SSH_AUTH_SOCK; keys in files work without.")
    finally:
        loop.close()
    return subject.ok(f"{count} key{'' if count == 1 else 's'}")
