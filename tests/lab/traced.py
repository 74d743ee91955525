"""The programs that start on a host, with their arguments, as strace(1) sees them."""

import re

from local.lab.api import LabHost

SSHD = '"$(cat /run/sshd.pid)"'
SYSTEMD = "1"

_START = """
systemd-run -q --unit=tracer strace -f -qq -e trace=execve -s 65536 -o /run/execs {options}
for i in $(seq 100); do
    if ! grep -L '^TracerPid:[^0-9]*[1-9]' {status} | grep -q .; then exit 0; fi
    sleep 0.1
done
exit 1
"""
_STARTED = re.compile(r'^\d+ +execve\("([^"]+)".*(?: = 0|<unfinished \.\.\.>)$', re.M)


def trace(host: LabHost, *processes: str) -> None:
    """Trace processes of a host, and all that they start, until `traced`. The host must have strace."""
    options = " ".join(f"-p {process}" for process in processes)
    status = " ".join(f"/proc/{process}/status" for process in processes)
    host.exec(_START.format(options=options, status=status))


def traced(host: LabHost) -> str:
    """End the trace and return it."""
    host.exec("systemctl stop tracer")
    return host.exec("cat /run/execs").stdout


def programs(trace: str) -> list[str]:
    """Return the names of the programs in a trace, in order; not those that were looked for in vain."""
    return [path.rpartition("/")[2] for path in _STARTED.findall(trace)]
