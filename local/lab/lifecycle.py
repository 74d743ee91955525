"""Bringing hosts up and taking them down."""

import json
import os
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from local.lab import cgroup, keys, network
from local.lab.control import CRASHED, Order, Reply, send
from local.lab.errors import LabError
from local.lab.images.build import build
from local.lab.images.variants import Variant, variant_named
from local.lab.machine import check_kernel, check_machine, install_needed
from local.lab.progress import Progress
from local.lab.run import tail
from local.lab.store import (
    Places,
    all_records,
    check_name,
    host_folders,
    locked,
    new_record,
    pick_index,
    read_record,
    save_record,
    write_atomically,
)

START_LIMIT = 150.0  # seconds for all hosts to boot
AT_ONCE = 16  # hosts taken down at a time


def bring_up(places: Places, names: Sequence[str], variant_name: str, progress: Progress) -> None:
    """Start those hosts that are not running, in parallel; a crashed one is removed first.

    Raises:
        LabError: see `Lab.up`.
    """
    check_machine()
    variant = variant_named(variant_name)
    for name in names:
        check_name(name)
    install_needed(progress)
    check_kernel()
    built = build(places, variant, progress)
    keys.make_lab_keys(places)
    with ExitStack() as held:
        # sorted, so that two processes cannot deadlock
        locks = {name: held.enter_context(locked(places.run / "locks" / name)) for name in sorted(set(names))}
        states = {name: _state(places, name, variant) for name in dict.fromkeys(names)}
        for name, reply in states.items():
            if reply and reply.state == "running":
                progress.say(f"{name} is running already")
            elif reply and reply.state == "off":
                send(places.host_run(name), Order.START)
        missing = {name: locks[name] for name, reply in states.items() if reply in (None, CRASHED)}
        if missing:
            with progress.step(f"booting {', '.join(missing)}"):
                _boot(places, missing, variant, built)


def take_down(places: Places, names: Sequence[str] | None, progress: Progress) -> list[str]:
    """Stop hosts and remove everything of theirs, and the network with the last host of the machine.

    Raises:
        LabError: a named host belongs to another checkout.
    """
    check_machine()
    wanted = list(dict.fromkeys(check_name(name) for name in names)) if names else _leftovers(places)
    wanted = [name for name in wanted if places.host_run(name).is_dir()]
    for name in wanted:
        _check_owner(places, name)
    try:
        if wanted:
            with progress.step(f"taking down {', '.join(wanted)}"), ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(lambda name: _remove_locked(places, name), wanted))
    finally:
        with locked(places.run):
            _tidy(places)
    return wanted


def _leftovers(places: Places) -> list[str]:
    """Names of this checkout's hosts, and of those that belong to nobody."""
    return sorted(entry.name for entry in host_folders(places) if _other_owner(places, entry.name) is None)


def _remove_locked(places: Places, name: str) -> None:
    with locked(places.run / "locks" / name):
        if _other_owner(places, name) is None:  # the owner may have changed while this process waited
            _remove(places, name)


def _other_owner(places: Places, name: str) -> str | None:
    """The checkout that a host belongs to, if it is not this one.

    A host without a record (its `up` was killed early) or a crashed one belongs to nobody: its checkout may be gone,
    and there is nothing to lose.
    """
    record = read_record(places.host_run(name))
    if record is None or record.checkout == str(places.checkout):
        return None
    return None if send(places.host_run(name), Order.STATUS) == CRASHED else record.checkout


def _check_owner(places: Places, name: str) -> None:
    if owner := _other_owner(places, name):
        raise LabError(f"host {name} belongs to the checkout {owner}: take it down there, or use another name here")


def _state(places: Places, name: str, variant: Variant) -> Reply | None:
    """The state of a host; None if it does not exist."""
    _check_owner(places, name)
    record = read_record(places.host_run(name))
    if record is None:
        return None
    reply = send(places.host_run(name), Order.STATUS)
    if reply != CRASHED and record.variant != variant.name:
        raise LabError(f"host {name} runs as variant {record.variant}: take it down first, or use another name")
    return reply


def _boot(places: Places, locks: Mapping[str, int], variant: Variant, built: Path) -> None:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda name: keys.make_host_keys(places, name), locks))
    with locked(places.run):
        for name in locks:
            _remove(places, name)  # leftovers of a crash
        network.network_up(places.run)
        for name in locks:
            record = new_record(name, variant.name, _index(places, name), places.checkout, built)
            save_record(places, record)
            keys.write_host_known_hosts(places, record)
        _write_ssh_files(places)
    started = {name: _start_supervisor(places, name, lock) for name, lock in locks.items()}
    failed = _await_supervisors(places, started)
    if failed:
        raise LabError("; ".join(failed))


def _index(places: Places, name: str) -> int:
    """A host's address, remembered in its cache folder so that it gets the same one next time, if it is free."""
    note = places.host_cache(name) / "index"
    last = int(note.read_text()) if note.exists() else None
    index = pick_index(name, {record.index for record in all_records(places)}, last)
    write_atomically(note, f"{index}\n")
    return index


def _start_supervisor(places: Places, name: str, lock: int) -> IO[str]:
    """Start a host's supervisor, detached; it reports on the returned pipe when the host has booted."""
    folder = places.host_run(name)
    readable, writable = os.pipe()
    argv = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m", "local.lab.supervisor"]
    with (folder / "supervisor.log").open("w") as log:
        subprocess.Popen(
            [*argv, str(folder), str(writable), str(lock)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=Path(__file__).resolve().parents[2],
            start_new_session=True,
            pass_fds=[writable, lock],
        )
    os.close(writable)
    return os.fdopen(readable)


def _await_supervisors(places: Places, started: Mapping[str, IO[str]]) -> list[str]:
    """Wait until every host has booted; returns errors."""
    failed: list[str] = []
    deadline = time.monotonic() + START_LIMIT
    with selectors.DefaultSelector() as selector:
        for name, pipe in started.items():
            selector.register(pipe, selectors.EVENT_READ, name)
        while selector.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                name = str(key.data)
                line = started[name].readline()
                selector.unregister(key.fileobj)
                error = json.loads(line)["error"] if line else _last_words(places, name)
                if error:
                    failed.append(f"{name} could not be started: {error}")
        failed += [f"{key.data} did not boot within {START_LIMIT:.0f} s" for key in selector.get_map().values()]
    for pipe in started.values():
        pipe.close()
    return failed


def _last_words(places: Places, name: str) -> str:
    log = places.host_run(name) / "supervisor.log"
    return f"its supervisor ended ({log}): {tail(log.read_text(errors='replace'))}"


def _remove(places: Places, name: str) -> None:
    """Stop one host and remove everything of it, also after a crash."""
    folder = places.host_run(name)
    if not folder.is_dir():
        return
    record = read_record(folder)
    if send(folder, Order.DOWN) == CRASHED:
        cgroup.sweep(name)
        if record:
            network.unplug(record)
    shutil.rmtree(folder)


def _tidy(places: Places) -> None:
    """Remove the network if no host is left on the machine."""
    _write_ssh_files(places)
    folder = places.run / "hosts"
    if not (folder.is_dir() and any(folder.iterdir())):
        network.network_down(places.run)
        shutil.rmtree(folder, ignore_errors=True)


def _write_ssh_files(places: Places) -> None:
    keys.write_ssh_files(places, lambda: [r for r in all_records(places) if r.checkout == str(places.checkout)])
