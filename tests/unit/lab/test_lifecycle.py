"""Who may start and stop which hosts; keys and SSH files; the cache; the command line."""

import contextlib
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from local.lab import cli, keys, lifecycle
from local.lab.api import Lab, LabHost
from local.lab.control import CONTROL_SOCKET, Reply, read_line
from local.lab.errors import LabError
from local.lab.images import build
from local.lab.images.variants import DEBIAN, variant_named
from local.lab.progress import Progress
from local.lab.store import Places, new_record, save_record

QUIET = Progress(quiet=True)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(checkout=tmp_path / "checkout", cache=tmp_path / "cache", run=tmp_path / "run")


def give_host_keys(places: Places, name: str) -> None:
    """Write host keys as text: the tested code only reads them."""
    folder = places.host_cache(name) / "etc/ssh"
    folder.mkdir(parents=True)
    for kind, label in (("ed25519", "ssh-ed25519"), ("ecdsa", "ecdsa-sha2-nistp256"), ("rsa", "ssh-rsa")):
        (folder / f"ssh_host_{kind}_key.pub").write_text(f"{label} {kind.upper()}{name} root@{name}\n")


@pytest.fixture
def foreign_host(places: Places, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A running host of another checkout: somebody listens on its supervisor's socket."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(lifecycle, "network", Mock(spec=lifecycle.network))  # leave the machine's own network alone
    monkeypatch.setattr(lifecycle, "cgroup", Mock(spec=lifecycle.cgroup))
    save_record(places, new_record("web1", "debian", 11, Path("/other/checkout"), Path("/cache/debian-0")))
    folder = places.host_run("web1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(folder / CONTROL_SOCKET))
        listener.listen(16)
        threading.Thread(target=answer_all, args=(listener,), daemon=True).start()
        yield folder
        listener.shutdown(socket.SHUT_RDWR)


def answer_all(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the end of the test
        while True:
            client, _ = listener.accept()
            with client:
                read_line(client)
                client.sendall(Reply("running").encode())


def test_the_host_of_another_checkout_is_not_taken_down(places: Places, foreign_host: Path) -> None:
    with pytest.raises(LabError, match="host web1 belongs to the checkout /other/checkout"):
        lifecycle.take_down(places, ["web1"], QUIET)
    assert lifecycle.take_down(places, None, QUIET) == []
    assert foreign_host.is_dir()


def test_a_crashed_host_belongs_to_nobody(places: Places, foreign_host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (foreign_host / CONTROL_SOCKET).unlink()
    network, cgroup = Mock(), Mock()
    monkeypatch.setattr(lifecycle, "network", network)
    monkeypatch.setattr(lifecycle, "cgroup", cgroup)
    assert lifecycle.take_down(places, None, QUIET) == ["web1"]
    assert not foreign_host.exists()
    network.network_down.assert_called_once_with(places.run)
    cgroup.sweep.assert_called_once_with("web1")


def test_another_checkouts_host_is_none_of_ours(tmp_path: Path, places: Places) -> None:
    lab = Lab(places.checkout)
    lab.places = places
    save_record(places, new_record("web1", "debian", 11, Path("/other/checkout"), Path("/cache/debian-0")))
    assert lab.hosts() == []
    with pytest.raises(LabError, match="there is no lab host web1: start it with"):
        lab.host("web1")


def test_the_cache_is_not_purged_under_a_host_of_another_checkout(places: Places) -> None:
    lab = Lab(places.checkout)
    lab.places = places
    places.cache.mkdir()
    save_record(places, new_record("web1", "debian", 11, Path("/other/checkout"), Path("/cache/debian-0")))
    with pytest.raises(LabError, match="in use by web1 of /other/checkout"):
        lab.purge()
    assert places.cache.is_dir()


def test_known_hosts_names_each_host_by_name_and_both_addresses(places: Places) -> None:
    places.state.mkdir(parents=True)
    give_host_keys(places, "web2")
    web2 = new_record("web2", "debian", 12, places.checkout, places.cache / "debian-0")
    lost = new_record("lost", "debian", 110, places.checkout, Path("/a/cache/that/was/removed/debian-0"))
    keys.write_ssh_files(places, lambda: [web2, lost])
    assert keys.known_hosts_file(places).read_text().splitlines() == [
        "web2,198.51.100.12,2001:db8:57::12 ssh-ed25519 ED25519web2",
        "web2,198.51.100.12,2001:db8:57::12 ecdsa-sha2-nistp256 ECDSAweb2",
        "web2,198.51.100.12,2001:db8:57::12 ssh-rsa RSAweb2",
    ]
    assert keys.host_key(web2) == "ssh-ed25519 ED25519web2"
    with pytest.raises(LabError, match="take lost down and up again"):
        keys.host_key(lost)


def test_a_host_is_known_by_a_file_of_its_own_whoever_comes_and_goes(places: Places) -> None:
    places.state.mkdir(parents=True)
    give_host_keys(places, "web2")
    web2 = new_record("web2", "debian", 12, places.checkout, places.cache / "debian-0")
    save_record(places, web2)
    keys.write_host_known_hosts(places, web2)
    keys.write_ssh_files(places, lambda: [])
    known = LabHost(places, web2).known_hosts.read_text().splitlines()
    assert [line.split()[1] for line in known] == ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"]


def test_ssh_reads_the_config_as_meant(places: Places) -> None:
    places.state.mkdir(parents=True)
    give_host_keys(places, "web1")
    web1 = new_record("web1", "debian", 11, places.checkout, places.cache / "debian-0")
    keys.write_ssh_files(places, lambda: [web1])
    for name, address in (("web1", "198.51.100.11"), ("web1.ipv6", "2001:db8:57::11")):
        argv = ["ssh", "-G", "-F", str(keys.ssh_config_file(places)), name]
        read = set(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines())
        assert {
            f"hostname {address}",
            "user root",
            "stricthostkeychecking true",
            f"identityfile {keys.key_file(places)}",
            f"userknownhostsfile {keys.known_hosts_file(places)}",
        } <= read


def test_the_lab_key_and_password_are_made_once_and_private(places: Places) -> None:
    places.checkout.mkdir()
    keys.make_lab_keys(places)
    secret = {path: path.read_text() for path in (keys.key_file(places), keys.password_file(places))}
    assert [path.stat().st_mode & 0o777 for path in secret] == [0o600, 0o600]
    hashed = (places.state / "root_password.hash").read_text()
    assert hashed.startswith("$6$")
    assert keys.password_file(places).read_text().strip() not in hashed
    keys.make_lab_keys(places)
    assert {path: path.read_text() for path in secret} == secret


def test_a_changed_recipe_is_built_anew(places: Places) -> None:
    changed = replace(DEBIAN, repository=(*DEBIAN.repository, "mtr"))
    assert build.built_folder(places, changed) != build.built_folder(places, DEBIAN)
    assert build.built_folder(places, replace(changed, repository=DEBIAN.repository)) == build.built_folder(
        places, DEBIAN
    )


def test_what_is_in_the_cache_is_not_built_again(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = build.built_folder(places, DEBIAN)
    folder.mkdir(parents=True)
    monkeypatch.setattr(build, "run", lambda *_, **__: pytest.fail("ran something"))
    assert build.build(places, DEBIAN, QUIET) == folder


def test_a_failed_build_leaves_nothing_that_looks_built(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(argv: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        if "debootstrap" in argv:
            return subprocess.CompletedProcess(argv, 1, "E: Couldn't download packages\n", "")
        return subprocess.CompletedProcess(argv, 0, "", "")

    monkeypatch.setattr(build, "run", fail)
    with pytest.raises(LabError, match=r"debootstrap of bookworm from http.* failed .*E: Couldn't download packages"):
        build.build(places, DEBIAN, QUIET)
    assert not build.built_folder(places, DEBIAN).exists()


def test_old_builds_go_when_nobody_uses_them(places: Places) -> None:
    old, used, fresh = (places.cache / f"debian-{name}" for name in ("old", "used", "fresh"))
    for folder in (old, used, fresh, places.cache / "draft"):
        folder.mkdir(parents=True)
    for folder in (old, used):
        os.utime(folder, (0, 0))
    save_record(places, new_record("web1", "debian", 11, Path("/other/checkout"), used))
    build._remove_leftovers(places, DEBIAN)
    assert {entry.name for entry in places.cache.iterdir()} == {"debian-used", "debian-fresh"}


def test_the_machines_own_mirror_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def listed(text: str) -> None:
        monkeypatch.setattr(build, "run", lambda argv, **_: subprocess.CompletedProcess(argv, 0, text, ""))

    listed(
        "http://mirror.example/debian-security/ bookworm-security main\nhttp://mirror.example/debian/ bookworm main\n"
    )
    assert build._mirror(DEBIAN) == "http://mirror.example/debian"
    listed("http://archive.ubuntu.com/ubuntu/ noble main\n")
    assert build._mirror(DEBIAN) == DEBIAN.mirror


def test_an_unknown_variant_lists_those_there_are() -> None:
    with pytest.raises(LabError, match=r"unknown variant 'slackware'; there is: .*debian"):
        variant_named("slackware")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["exec", "web1", "iptables", "-L", "-n"], ["iptables", "-L", "-n"]),
        (["exec", "web1", "--", "ls", "--", "x"], ["ls", "--", "x"]),
        (["ssh", "web1"], []),
    ],
)
def test_a_command_for_a_host_keeps_its_own_options(argv: list[str], words: list[str]) -> None:
    assert cli._command_words(cli.parser().parse_args(argv)) == words


def test_a_step_says_what_and_how_long_or_that_it_failed(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with path.open("w") as out:
        progress = Progress(out)
        with progress.step("booting web1"):
            pass
        with pytest.raises(ValueError, match="no"), progress.step("booting web2"):
            raise ValueError("no")
    first, second = path.read_text().splitlines()
    assert first.startswith("booting web1 ... ")
    assert first.endswith(" s")
    assert second == "booting web2 ... failed"
