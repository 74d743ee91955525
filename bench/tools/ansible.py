"""Ansible, tuned: pipelining, ControlPersist, as many forks as hosts, no fact gathering."""

import subprocess
from typing import Any

import yaml

from bench.job import ABSENT, PRESENT, USER, Job
from bench.tools.base import VENV, Phase, Tool, login
from bench.verify import ssh_options

_HANDLERS = {
    "/etc/ssh/sshd_config.d/10-bench.conf": "reload ssh",
    "/etc/fail2ban/jail.d/bench.conf": "restart fail2ban",
}


class Ansible(Tool):
    """One playbook that uses only ansible-core modules."""

    name = "ansible"
    keeps_connections = True
    drift_note = "--check"

    @classmethod
    def missing(cls) -> str:
        return "" if (VENV / "bin/ansible-playbook").exists() else "`make bench` installs it"

    @classmethod
    def version(cls) -> str:
        done = subprocess.run([VENV / "bin/ansible", "--version"], capture_output=True, text=True, check=True)
        return done.stdout.splitlines()[0].replace("ansible [core ", "ansible-core ").rstrip("]")

    def write(self, job: Job, phase: Phase) -> None:
        (self.folder / "playbook.yaml").write_text(yaml.safe_dump([_play(job)], sort_keys=False))
        options = " ".join(ssh_options(self.hosts[0]))
        (self.folder / "ansible.cfg").write_text(
            f"[defaults]\ninventory = hosts.yaml\nforks = {len(self.hosts)}\ngathering = explicit\n"
            f"remote_user = {login(phase)}\ninterpreter_python = /usr/bin/python3\n"
            f"[privilege_escalation]\nbecome = true\n"
            f"[ssh_connection]\npipelining = true\ncontrol_path_dir = {self._sockets}\n"
            f"ssh_args = {options} -o ControlMaster=auto -o ControlPersist=120s\n"
        )
        hosts = {host.name: {"ansible_host": host.ipv4, "ansible_port": host.port} for host in self.hosts}
        (self.folder / "hosts.yaml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))

    def argv(self, phase: Phase) -> list[str] | None:
        check = ["--check", "--diff"] if phase is Phase.DRIFT else []
        return [str(VENV / "bin/ansible-playbook"), "playbook.yaml", *check]

    @property
    def environment(self) -> dict[str, str]:
        path = f"{VENV / 'bin'}:{super().environment['PATH']}"
        return {**super().environment, "PATH": path, "LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1"}

    @property
    def _sockets(self) -> str:
        return f"/tmp/stockade-bench-{self.hosts[0].name}"  # noqa: S108 - short: a socket's path has a limit

    def close(self) -> None:
        """Close the connections that ControlPersist keeps."""
        listed = subprocess.run(
            ["find", self._sockets, "-type", "s"], capture_output=True, text=True, check=False
        ).stdout.split()
        for socket in listed:
            subprocess.run(["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "-"], capture_output=True, check=False)


def _play(job: Job) -> dict[str, Any]:
    tasks: list[dict[str, Any]] = [
        {
            "name": "what the modules need",
            "ansible.builtin.raw": "test -x /usr/bin/python3 && dpkg -s python3-apt >/dev/null 2>&1 || "
            "{ DEBIAN_FRONTEND=noninteractive apt-get install -qqy python3 python3-apt; echo changed; }",
            "register": "python",
            "changed_when": "'changed' in python.stdout",
        },
        _apt("packages", name=[*PRESENT, "sudo"], install_recommends=False),
        _apt("no mail, no RPC", name=list(ABSENT), state="absent", purge=True, autoremove=True),
        {
            "name": "user",
            "ansible.builtin.user": {"name": USER, "groups": "sudo", "append": True, "shell": "/bin/bash"},
        },
        {
            "name": "~/.ssh",
            "ansible.builtin.file": {
                "path": f"/home/{USER}/.ssh",
                "state": "directory",
                "mode": "0700",
                "owner": USER,
                "group": USER,
            },
        },
        _copy(f"/home/{USER}/.ssh/authorized_keys", job.key.strip() + "\n", "600", owner=USER, group=USER),
    ]
    for version in (4, 6):
        path = f"/etc/iptables/rules.v{version}"
        tasks.append({**_copy(path, job.rules(version), "640"), "notify": f"load IPv{version} rules"})
    for file in job.files:
        task = _copy(file.path, file.text, file.mode)
        if file.path in _HANDLERS:
            task["notify"] = _HANDLERS[file.path]
        tasks.append(task)
    handlers: list[dict[str, Any]] = [
        {
            "name": f"load IPv{version} rules",
            "ansible.builtin.command": f"{tool}-restore /etc/iptables/rules.v{version}",
        }
        for version, tool in ((4, "iptables"), (6, "ip6tables"))
    ]
    handlers += [
        {"name": "reload ssh", "ansible.builtin.systemd_service": {"name": "ssh", "state": "reloaded"}},
        {"name": "restart fail2ban", "ansible.builtin.systemd_service": {"name": "fail2ban", "state": "restarted"}},
    ]
    return {"hosts": "all", "gather_facts": False, "tasks": tasks, "handlers": handlers}


def _apt(title: str, **options: Any) -> dict[str, Any]:
    return {"name": title, "ansible.builtin.apt": options}


def _copy(path: str, text: str, mode: str, **options: str) -> dict[str, Any]:
    return {
        "name": path,
        "ansible.builtin.copy": {"dest": path, "content": text, "mode": f"0{mode}", **options},
    }
