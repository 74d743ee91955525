"""One shell script over one SSH connection for each host, all hosts in parallel: the practical limit."""

import shlex
import subprocess

from bench.job import ABSENT, PRESENT, USER, Job
from bench.tools.base import Phase, Tool, login
from bench.verify import ssh_options

_WRITE = """\
put() { # FILE MODE, text on stdin; succeeds where something changed
    cat >/tmp/bench.new
    if cmp -s /tmp/bench.new "$1" && [ "$(stat -c %a "$1")" = "$2" ]; then return 1; fi
    mkdir -p "$(dirname "$1")"
    install -m "$2" /tmp/bench.new "$1"
}
"""


class Raw(Tool):
    """The job as a script that checks before it changes; idempotent."""

    name = "raw"

    @classmethod
    def missing(cls) -> str:
        return ""

    @classmethod
    def version(cls) -> str:
        done = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True)
        return done.stderr.split(",")[0]

    def write(self, job: Job, phase: Phase) -> None:
        (self.folder / "job.sh").write_text(_script(job))
        (self.folder / "all.sh").write_text(self._all(phase))

    def argv(self, phase: Phase) -> list[str] | None:
        return None if phase is Phase.DRIFT else ["sh", "all.sh"]

    def _all(self, phase: Phase) -> str:
        user = login(phase)
        lines = ["pids="]
        for host in self.hosts:
            ssh = shlex.join(["ssh", *ssh_options(host), f"{user}@{host.ipv4}", "sudo -n sh -s"])
            lines += [f"{ssh} <job.sh &", 'pids="$pids $!"']
        return "\n".join([*lines, "failed=0", "for pid in $pids; do wait $pid || failed=1; done", "exit $failed\n"])


def _script(job: Job) -> str:
    """Packages in one transaction, the user, the files, then the rules and the services whose files changed."""
    wanted = " ".join((*PRESENT, "sudo", *(f"{name}-" for name in ABSENT)))
    lines = [
        "main() {",
        "set -eu",
        "umask 022",
        "export DEBIAN_FRONTEND=noninteractive",
        _WRITE,
        "installed() { dpkg-query -W -f '${db:Status-Status}\n' \"$@\" 2>/dev/null | grep -cx installed || :; }",
        f"count=$(installed {' '.join(PRESENT)} sudo)",
        f"gone=$(installed {' '.join(ABSENT)})",
        f'if [ "$count" != {len(PRESENT) + 1} ] || [ "$gone" != 0 ]; then',
        f"    apt-get -qqy -o APT::Install-Recommends=false --purge --autoremove install {wanted}",
        "fi",
        f"id {USER} >/dev/null 2>&1 || useradd -m -s /bin/bash -G sudo {USER}",
        f"install -d -m 700 -o {USER} -g {USER} /home/{USER}/.ssh",
        f"put /home/{USER}/.ssh/authorized_keys 600 <<'END' && chown {USER}: /home/{USER}/.ssh/authorized_keys || :",
        job.key.strip(),
        "END",
    ]
    after = {
        "/etc/ssh/sshd_config.d/10-bench.conf": "sshd -t && systemctl reload ssh",
        "/etc/fail2ban/jail.d/bench.conf": "systemctl restart fail2ban",
    }
    for version, tool in ((4, "iptables"), (6, "ip6tables")):
        path = f"/etc/iptables/rules.v{version}"
        lines += [f"if put {path} 640 <<'END'", job.rules(version).strip(), "END", f"then {tool}-restore {path}; fi"]
    for file in job.files:
        then = after.get(file.path, ":")
        lines += [f"if put {file.path} {file.mode} <<'END'", file.text.strip(), "END", f"then {then}; fi"]
    return "\n".join([*lines, "rm -f /tmp/bench.new", "}", "main </dev/null\n"])
