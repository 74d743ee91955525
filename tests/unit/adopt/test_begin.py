"""`stockade init`: the config of a new server is valid, and asks for nothing that it can know."""

from pathlib import Path

import pytest
import yaml

from adopt import begin
from adopt.target import Target
from components.stack_config import parse
from hosts.ssh.connection import Connection

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJvwe4CBNlMXK806cWCxEH5i6FRD1JkOUss4Lg+MrnAF me"


@pytest.mark.parametrize("web", [True, False])
def test_the_config_is_valid_and_has_every_chapter_of_the_guide(web: bool) -> None:
    target = Target("root@203.0.113.7", "web1", Connection(host="203.0.113.7", port=2222, user="root"))
    text = begin.text(begin.Wanted(target, "deploy", (KEY,), web, KEY.rpartition(" ")[0]))
    values = {name.partition(":")[2]: value for name, value in yaml.safe_load(text)["config"].items()}
    config = parse(values, "mine")
    assert config.access()["web1"].admin == Connection(
        host="203.0.113.7", port=2222, user="deploy", host_key=KEY.rpartition(" ")[0]
    )
    wanted = config.hardening()
    assert wanted.firewall is not None
    assert wanted.firewall.preset == ("web" if web else "ssh")
    assert {"users", "sysctl", "sshd", "fail2ban", "updates", "listeners"} <= wanted.chapters().keys()


def test_what_cannot_be_asked_is_said_with_its_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert begin.main("mine", lambda: tmp_path, "", shows_preview=False) == 1
    assert "say it with HOST" in capsys.readouterr().err
    assert begin.main("../mine", lambda: tmp_path, "web1=root@203.0.113.7", shows_preview=False) == 1
    assert "letters, digits" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
