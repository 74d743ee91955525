"""pyinfra, with its own operations."""

import subprocess

from bench.job import ABSENT, PRESENT, USER, Job
from bench.tools.base import VENV, Phase, Tool, login

_DEPLOY = """\
from io import StringIO

from pyinfra.operations import apt, files, server, systemd

JOB = {job!r}

apt.packages(packages=JOB["present"], no_recommends=True)
apt.packages(packages=JOB["absent"], present=False, extra_uninstall_args="--purge --autoremove")
server.user(user=JOB["user"], shell="/bin/bash", groups=["sudo"], public_keys=[JOB["key"]], create_home=True)
for version, tool in ((4, "iptables"), (6, "ip6tables")):
    path = f"/etc/iptables/rules.v{{version}}"
    rules = files.put(src=StringIO(JOB["rules"][version]), dest=path, mode="640")
    server.shell(commands=[f"{{tool}}-restore {{path}}"], _if=rules.did_change)
changed = {{}}
for path, text, mode in JOB["files"]:
    changed[path] = files.put(src=StringIO(text), dest=path, mode=mode)
systemd.service(service="ssh", reloaded=True, _if=changed["/etc/ssh/sshd_config.d/10-bench.conf"].did_change)
systemd.service(service="fail2ban", restarted=True, _if=changed["/etc/fail2ban/jail.d/bench.conf"].did_change)
"""


class Pyinfra(Tool):
    """One deploy file."""

    name = "pyinfra"
    drift_note = "--dry"

    @classmethod
    def missing(cls) -> str:
        return "" if (VENV / "bin/pyinfra").exists() else "`make bench` installs it"

    @classmethod
    def version(cls) -> str:
        done = subprocess.run([VENV / "bin/pyinfra", "--version"], capture_output=True, text=True, check=True)
        return done.stdout.strip().replace(": v", " ")

    def write(self, job: Job, phase: Phase) -> None:
        text = {
            "present": [*PRESENT, "sudo"],
            "absent": list(ABSENT),
            "user": USER,
            "key": job.key.strip(),
            "rules": {version: job.rules(version) for version in (4, 6)},
            "files": [(file.path, file.text, file.mode) for file in job.files],
        }
        (self.folder / "deploy.py").write_text(_DEPLOY.format(job=text))
        data = {
            "ssh_user": login(phase),
            "ssh_key": str(self.key_file),
            "_sudo": login(phase) != "root",
        }
        hosts = [
            (host.ipv4, {**data, "ssh_port": host.port, "ssh_known_hosts_file": str(host.known_hosts)})
            for host in self.hosts
        ]
        (self.folder / "inventory.py").write_text(f"hosts = {hosts!r}\n")

    def argv(self, phase: Phase) -> list[str] | None:
        way = "--dry" if phase is Phase.DRIFT else "--yes"
        return [str(VENV / "bin/pyinfra"), "inventory.py", "deploy.py", way]
