"""pulumi-command: a `remote.Command` for each step, chained on each host, with the real CLI."""

import json
import shutil
import subprocess

from bench.job import ABSENT, PRESENT, USER, Job
from bench.tools.base import VENV, Phase, Tool

_PROGRAM = """\
import json

import pulumi
from pulumi_command import remote

for host in json.load(open("hosts.json")):
    last = []
    for name, user, text in json.load(open("steps.json")):
        way = remote.ConnectionArgs(host=host["address"], user=user, private_key=open(host["key"]).read())
        step = remote.Command(
            f"{host['name']} {name}",
            connection=way,
            create=text,
            opts=pulumi.ResourceOptions(depends_on=last),
        )
        last = [step]
"""
_PROJECT = """\
name: bench
runtime: {{name: python, options: {{toolchain: pip, virtualenv: {venv}}}}}
backend: {{url: "file://./state"}}
"""


class PulumiCommand(Tool):
    """Its steps run once, and again when their text changes; it cannot see the state of a host."""

    name = "pulumi-command"
    drift_note = "refresh, which looks at no host"

    @classmethod
    def missing(cls) -> str:
        names = ("pulumi", "pulumi-resource-command")
        return "; ".join(f"`{name}` is not on PATH" for name in names if not shutil.which(name))

    @classmethod
    def version(cls) -> str:
        done = subprocess.run(["pulumi", "version"], capture_output=True, text=True, check=True)
        asked = [
            VENV / "bin" / "python",
            "-c",
            "from importlib.metadata import version; print(version('pulumi_command'))",
        ]
        own = subprocess.run(asked, capture_output=True, text=True, check=True)
        return f"pulumi-command {own.stdout.strip()}, Pulumi {done.stdout.strip()}"

    def write(self, job: Job, phase: Phase) -> None:
        if phase is Phase.FIRST:
            (self.folder / "state").mkdir()
            (self.folder / "__main__.py").write_text(_PROGRAM)
            (self.folder / "Pulumi.yaml").write_text(_PROJECT.format(venv=VENV))
            self._pulumi("stack", "init", "bench")
        hosts = [{"name": h.name, "address": h.ipv4, "key": str(h.key_file)} for h in self.hosts]
        (self.folder / "hosts.json").write_text(json.dumps(hosts))
        (self.folder / "steps.json").write_text(json.dumps(_steps(job)))

    def argv(self, phase: Phase) -> list[str] | None:
        command = "refresh" if phase is Phase.DRIFT else "up"
        return ["pulumi", command, "--yes", "--skip-preview", "--stack", "bench", "--parallel", "64"]

    @property
    def environment(self) -> dict[str, str]:
        more = {"PULUMI_CONFIG_PASSPHRASE": "bench", "PULUMI_SKIP_UPDATE_CHECK": "true"}
        return {**super().environment, **more}

    def _pulumi(self, *arguments: str) -> None:
        subprocess.run(["pulumi", *arguments], cwd=self.folder, env=self.environment, check=True, capture_output=True)


def _steps(job: Job) -> list[tuple[str, str, str]]:
    """Name, login and text; idempotent, because a step whose text changed is run as a replacement.

    After the first five steps the user can log in, and does all the others, so that no later step needs root's login.
    """
    apt = "DEBIAN_FRONTEND=noninteractive apt-get -qqy -o APT::Install-Recommends=false"
    home = f"/home/{USER}/.ssh"
    steps = [
        ("packages", f"{apt} install {' '.join(PRESENT)} sudo </dev/null"),
        ("no mail, no RPC", f"{apt} purge --autoremove {' '.join(ABSENT)} </dev/null"),
        ("user", f"id {USER} || useradd -m -s /bin/bash -G sudo {USER}"),
        ("key", _put(f"{home}/authorized_keys", job.key.strip(), "600", f"install -d -m 700 {home}; ")
         + f"; chown -R {USER}: {home}"),
    ]  # fmt: skip
    rules = []
    for number, tool in ((4, "iptables"), (6, "ip6tables")):
        path = f"/etc/iptables/rules.v{number}"
        rules.append((f"IPv{number} rules", _put(path, job.rules(number), "640") + f"; sudo {tool}-restore {path}"))
    after = {
        "/etc/ssh/sshd_config.d/10-bench.conf": "sudo sshd -t && sudo systemctl reload ssh",
        "/etc/fail2ban/jail.d/bench.conf": "sudo systemctl restart fail2ban",
    }
    files = []
    for file in job.files:
        then = f"; {after[file.path]}" if file.path in after else ""
        files.append((file.path, _put(file.path, file.text, file.mode) + then))
    sudoers, *others = files
    as_user = [*rules, *others]
    return [(name, "root", text) for name, text in [*steps, sudoers]] + [(name, USER, text) for name, text in as_user]


def _put(path: str, text: str, mode: str, before: str = "") -> str:
    return f"{before}cat <<'END' | sudo tee {path} >/dev/null\n{text.strip()}\nEND\nsudo chmod {mode} {path}"
