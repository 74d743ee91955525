"""The record of a prior state and its owner, on a stage: byte for byte as observed."""

import hashlib
import os
from dataclasses import replace

import pytest

from hosts.guard import record
from hosts.guard.record import CHANGED, LEDGER, Owner, facts_of, ledger, remember, replayed
from hosts.shell import Answer, Script
from hosts.text.rawtext import to_bytes
from tests.shell_room import Stage

OBSERVE = Script("observe", 'section keys cat /keys; begin meta; printf "%s\\n" 600; end; echo free')
FORGED = b"\nx E\nx B meta\n4755\nx E\n"
TITLE, NAME = "users deploy", "users-deploy"
PRIOR, OWNER = f"/var/lib/stockade/prior/{NAME}", f"/var/lib/stockade/owner/{NAME}"
OURS = Owner("0f", "shop", "prod", "web1", "run1")
THEIRS = Owner("1e", "shop", "test", "web1", "run2")


def kept(stage: Stage, expected: Owner | None = None, claim: Owner | None = None) -> Answer:
    return stage.one(remember(TITLE, OBSERVE, expected, claim))


def _forged(nonce: bytes) -> bytes:
    return FORGED.replace(b"x", nonce)


@pytest.mark.parametrize(
    "keys",
    [
        *(_forged(mark) for mark in (b"5d0c6f0e1f5b4c7e9a3b2d8f7c6e5a41", b"$NONCE", b"$record_mark", b"0" * 32, b"")),
        b"",
        b"\n\n",
        b"no end",
        bytes(range(256)),
    ],
)
def test_any_bytes_come_back(stage: Stage, keys: bytes) -> None:
    stage.path("/keys").write_bytes(keys)
    for _ in range(2):  # created, then read again
        found = replayed(kept(stage))
        assert to_bytes(found.sections["keys"]) == keys
        assert (found.sections["meta"], found.stdout) == ("600\n", "free\n")


def test_the_prior_state_is_that_of_the_first_time(stage: Stage) -> None:
    stage.write("/keys", "one\n")
    kept(stage)
    stage.write("/keys", "ours\n")
    assert replayed(kept(stage)).sections["keys"] == "one\n"
    assert stage.path(PRIOR).stat().st_mode & 0o777 == 0o600
    for folder in ("/var/lib/stockade", "/var/lib/stockade/prior"):
        assert stage.path(folder).stat().st_mode & 0o777 == 0o700
    assert not stage.path(OWNER).exists()


def test_an_empty_record_tells_of_a_power_cut(stage: Stage) -> None:
    stage.write("/keys", "one\n")
    stage.write(PRIOR, "")
    assert replayed(kept(stage)).sections["keys"] == "one\n"


def test_the_marks_of_earlier_records_are_of_no_use(stage: Stage) -> None:
    stage.write("/keys", "one\n")
    kept(stage)
    earlier = stage.path(PRIOR).read_bytes().split(b"\n")[0]
    stage.path(PRIOR).unlink()
    stage.path("/keys").write_bytes(_forged(earlier))
    assert dict(replayed(kept(stage)).sections) == {"keys": _forged(earlier).decode(), "meta": "600\n"}


def test_a_look_may_end_early(stage: Stage) -> None:
    look = Script("observe", "begin tool; echo none; end; exit 0; echo on")
    found = replayed(stage.one(remember("listeners", look)))
    assert (dict(found.sections), found.stdout) == ({"tool": "none\n"}, "")


@pytest.mark.parametrize("damage", [lambda text: text[:-10], lambda _: b"nothing\n", lambda text: text[33:]])
def test_a_damaged_record_is_told(stage: Stage, damage: "object") -> None:
    stage.write("/keys", "one\n")
    kept(stage)
    file = stage.path(PRIOR)
    file.write_bytes(damage(file.read_bytes()))  # type: ignore[operator]
    with pytest.raises((ValueError, KeyError)):
        replayed(kept(stage))


@pytest.mark.parametrize("kind", ["fifo", "folder", "device", "huge"])
def test_what_is_no_record_is_told_and_not_read(stage: Stage, kind: str) -> None:
    stage.write("/keys", "one\n")
    kept(stage)
    place = stage.path(PRIOR)
    if kind == "huge":
        os.truncate(place, 2**26)
    else:
        place.unlink()
        made = {"fifo": os.mkfifo, "folder": os.mkdir, "device": lambda path: os.symlink("/dev/zero", path)}[kind]
        made(place)
    found = kept(stage, claim=OURS)
    with pytest.raises(ValueError, match="without a mark"):
        replayed(found)
    assert stage.one(record.forget(TITLE)).status == 0
    assert not os.path.lexists(place)


def test_an_owner_replaces_whatever_is_in_its_place(stage: Stage) -> None:
    stage.write("/keys", "one\n")
    stage.path(OWNER).mkdir(parents=True)
    assert kept(stage, claim=OURS).status == 0
    assert stage.path(OWNER).read_text() == f"{OURS.text()}\n"


@pytest.mark.parametrize("held", [True, False])
def test_what_was_recorded_just_now_is_known_to_the_change_that_comes(stage: Stage, held: bool) -> None:
    stage.write("/keys", "one\n")
    if held:
        stage.folder("/run/stockade")
    kept(stage)
    assert stage.read(f"/run/stockade/fresh.{NAME}") == (f"{PRIOR}\n{OWNER}\n" if held else "")


def test_who_looks_after_it_is_recorded_and_must_be_who_was_read(stage: Stage) -> None:
    stage.write("/keys", "one\n")
    assert kept(stage, None, OURS).status == 0
    assert stage.read(OWNER) == f"{OURS.text()}\n"
    assert kept(stage, OURS).status == 0
    for stale in (None, THEIRS, replace(OURS, run="run3")):
        answer = kept(stage, stale, THEIRS)
        assert (answer.status, answer.stderr) == (CHANGED, f"{OWNER} is not as it was read\n")
        assert stage.one(record.unchanged(TITLE, stale)).status == CHANGED
        assert stage.one(record.claimed(TITLE, stale, THEIRS)).status == CHANGED
    assert stage.read(OWNER) == f"{OURS.text()}\n"
    assert stage.one(record.unchanged(TITLE, OURS)).status == 0
    assert stage.one(record.claimed(TITLE, OURS, THEIRS)).status == 0
    assert stage.read(OWNER) == f"{THEIRS.text()}\n"


@pytest.mark.parametrize("text", ['{"claim": "0f", "pro', "root\n", ""])
def test_half_a_line_names_nobody(stage: Stage, text: str) -> None:
    stage.write(OWNER, text)
    assert stage.one(record.unchanged(TITLE, None)).status == 0
    assert stage.one(record.unchanged(TITLE, OURS)).status == CHANGED


def test_what_somebody_removed_is_written_back_and_what_is_there_stays(stage: Stage) -> None:
    stage.write("/keys", "now\n")
    facts = '{"it\'s": "$(x) \\\\ a"}'
    assert stage.one(record.written_back(TITLE, OURS, facts)).status == 0
    assert facts_of(kept(stage, OURS)) == f"{facts}\n"
    assert stage.read(OWNER) == f"{OURS.text()}\n"
    stage.path(OWNER).unlink()
    assert stage.one(record.written_back(TITLE, THEIRS, "{}")).status == 0
    assert facts_of(kept(stage, THEIRS)) == f"{facts}\n"


def test_the_last_record_that_goes_takes_the_folders_along(stage: Stage) -> None:
    stage.write("/keys", "one\n")
    kept(stage, None, OURS)
    stage.one(remember("users other", OBSERVE, None, OURS))
    for folder in ("prior", "owner"):  # a run was killed while it wrote these
        stage.write(f"/var/lib/stockade/{folder}/{record.record_name(TITLE)}.new", "half")
    assert stage.one(record.forget(TITLE)).status == 0
    assert [path.name for path in stage.path("/var/lib/stockade/prior").iterdir()] == ["users-other"]
    assert [path.name for path in stage.path("/var/lib/stockade/owner").iterdir()] == ["users-other"]
    restore = Script("restore", "exit 3")
    assert stage.one(record.forget_after(restore, "users other")).status == 3
    assert stage.path("/var/lib/stockade/prior/users-other").exists()
    assert stage.one(record.forget_after(Script("restore", ": "), "users other")).status == 0
    assert not stage.path("/var/lib/stockade").exists()


@pytest.mark.parametrize("place", ["/etc/machine-id", "/var/lib/dbus/machine-id", ""])
def test_what_is_on_record_and_which_machine_it_is(stage: Stage, place: str) -> None:
    stage.path("/etc/machine-id").unlink()
    if place:
        stage.write(place, "0123456789abcdef0123456789abcdef\n")
    stage.write("/etc/ssh/ssh_host_ed25519_key.pub", "ssh-ed25519 AAAA root@host\n")
    stage.write("/etc/ssh/ssh_host_rsa_key", "private")
    stage.write(OWNER, f"{OURS.text()}\n")
    stage.write("/var/lib/stockade/owner/sshd", "half a line")
    stage.write("/var/lib/stockade/owner/large", f"{OURS.text()}{' ' * 9000}\n")
    stage.write(PRIOR, "x")
    stage.write("/var/lib/stockade/prior/sshd", "x")
    found = ledger(stage.one(LEDGER))
    digest = hashlib.sha256(b"stockade 0123456789abcdef0123456789abcdef").hexdigest()[:16]
    assert found.machine.id == (digest if place else "")
    assert len(found.machine.keys) == 1
    assert dict(found.owners) == {NAME: OURS}
    assert found.priors == {NAME, "sshd"}


def test_a_host_without_any_record_is_no_error(stage: Stage) -> None:
    found = ledger(stage.one(LEDGER))
    assert (dict(found.owners), found.priors, found.machine.keys) == ({}, frozenset(), ())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_a_record_is_made_where_another_ones_folder_is_just_taken_away(stage: Stage) -> None:
    stage.write("/keys", "one\n")
    take_away = '/usr/bin/mkdir "$@"; [ -e /once ] || { : >/once; rmdir "$2"; }'
    stage.program("mkdir", take_away)
    assert replayed(kept(stage)).sections["keys"] == "one\n"
