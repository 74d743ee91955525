"""The settings of sshd in terms of a host (`components/sshd/resource.py` describes them)."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

from components.core.change import Change
from components.core.chapter import Chapter, KnownState
from components.failure import Failure
from components.sshd import algorithms, effective
from components.sshd.login import entrance, sole_login
from components.sshd.settings import KEYBOARD, PASSWORDS, SshdFacts, SshdInputs
from hosts.errors import Unreachable
from hosts.guard.guarded import Guard, is_armed
from hosts.scripts import script
from hosts.shell import Answer, Script
from hosts.ssh.connection import HostAccess
from hosts.system.files import FILE_EXITS

if TYPE_CHECKING:
    from hosts.host import Host

GUIDE = "PermitRootLogin no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
"""The keywords that `sshd: {}` declares, which an import looks for."""
SSH_PORT = 22

HEADER = "# Written by Stockade: edit the stack config instead, changes here are overwritten.\n"

Seen = KnownState[SshdInputs, SshdFacts]


class SshdChapter(Chapter[SshdInputs, SshdFacts]):
    """The settings of sshd."""

    inputs = SshdInputs
    facts = SshdFacts
    importable = ("sshd",)
    proof = ""

    def title(self, inputs: SshdInputs) -> str:
        return "sshd"

    def observe(self, inputs: SshdInputs) -> Script:
        body = script("components/sshd/observe.sh")
        return Script("read the settings in force", body, _values(inputs), exits=FILE_EXITS)

    def parse(self, inputs: SshdInputs, answer: Answer) -> SshdFacts:
        part = answer.sections
        admin = part.get("admin", part["root"])
        wanted = effective.about(part["wanted"], inputs.settings)
        named = {line.key for line in map(effective.row, wanted.splitlines())}
        ours = {line.strip() for line in part["ours"].splitlines()}
        silent = (str(line) for line in effective.parse(inputs.settings) if line.key not in named)
        return SshdFacts(
            wanted=wanted,
            admin=effective.about(admin, inputs.settings),
            root=effective.about(part["root"], inputs.settings),
            ports=effective.listening(admin, part.get("listener")),
            unwritten=tuple(line for line in silent if line not in ours),
            ours=bool(ours),
            version=part["version"].partition("\n")[0].partition(",")[0].strip(),
        )

    def apply(self, inputs: SshdInputs, known: Seen) -> Script:
        values = {**_values(inputs), "first": "yes" if known.prior is None else ""}
        return Script("change the settings", script("components/sshd/apply.sh"), values)

    def restore(self, inputs: SshdInputs, known: Seen) -> Script:
        values = {**_values(inputs), "silence": "", "ports": "", "give_back": "yes"}
        return Script("restore the prior settings", script("components/sshd/apply.sh"), values)

    def differences(self, inputs: SshdInputs, seen: SshdFacts) -> str:
        parts = [
            f"{key} for {who}"
            for who, shown in (("the admin", seen.admin), ("root", seen.root))
            for key in effective.differing(seen.wanted, shown)
        ]
        declared = effective.ports(inputs.settings)
        if declared and declared != seen.ports:
            parts.append(f"Port: sshd listens on {', '.join(map(str, seen.ports))}")
        return "; ".join((*parts, *seen.unwritten))

    def as_observed(self, inputs: SshdInputs, known: Seen, seen: SshdFacts) -> SshdInputs:
        text = effective.without(inputs.settings, seen.unwritten)
        for view in (seen.root, seen.admin):
            text = effective.as_shown(text, effective.differing(seen.wanted, view), view)
        declared = effective.ports(inputs.settings)
        if declared and declared != seen.ports:
            text = effective.as_shown(text, ("port",), "".join(f"port {port}\n" for port in seen.ports))
        return inputs.model_copy(update={"settings": text})

    def already_configured(self, inputs: SshdInputs, seen: SshdFacts) -> str:
        return "the host already has sshd settings of Stockade" if seen.ours else ""

    def sought(self) -> Mapping[str, Any]:
        return {"settings": GUIDE}

    def existing(self, inputs: SshdInputs, seen: SshdFacts, answer: Answer) -> SshdInputs:
        """The guide's settings, or those of our file if there is one, with the values in force; and sshd's ports."""
        ours = effective.of_file(answer.sections["ours"])
        if ours and inputs.settings == effective.canonical(GUIDE):
            return inputs.model_copy(update={"settings": ours})
        text = self.as_observed(inputs, KnownState(), seen).settings
        if seen.ports != (SSH_PORT,) and not effective.ports(text):
            text = effective.canonical(text + "".join(f"Port {port}\n" for port in seen.ports))
        if effective.value(text, PASSWORDS) == "no" and effective.value(text, KEYBOARD) == "yes":
            text = effective.without(text, [str(line) for line in effective.parse(text) if line.key == KEYBOARD])
        return inputs.model_copy(update={"settings": text})

    def guard(self, inputs: SshdInputs, known: Seen, access: HostAccess, *, restoring: bool = False) -> Guard:
        ports = "" if restoring else " ".join(map(str, effective.ports(inputs.settings)))
        save, back, commit = (script(f"components/sshd/{name}.sh") for name in ("save", "go_back", "commit"))
        return Guard(save, back, commit, {"ports": ports}, inputs.confirm_within)

    def stages(self, host: "Host", inputs: SshdInputs, known: Seen) -> tuple[SshdInputs, ...]:
        """Prove the admin's login over a new connection first. A new port is opened beside the old one."""
        way = entrance(host, inputs.settings, inputs.admin)
        way.check()
        if not way.moves:
            return (inputs,)
        return listening_on(inputs, {*effective.ports(inputs.settings), way.port}), inputs

    def prove_login(self, host: "Host", inputs: SshdInputs, patience: float, *, restoring: bool = False) -> None:
        """Log in as later runs will; after restoring the prior settings, by whichever login works."""
        if restoring:
            host.confirm_everywhere(patience, login="any")
            return
        try:
            sole_login(host, inputs.settings).confirm_everywhere(patience)
        except Unreachable as error:
            port = host.access.logins()[0][1].port
            if port != host.entered().port:
                error.hint = f"Does the firewall accept port {port}? It must do so before sshd moves there."
            raise

    def host_for_restore(self, host: "Host", inputs: SshdInputs, known: Seen) -> "Host":
        """Open the prior port beside the current one and prove a login there before restoring anything else. The port
        may be blocked by the firewall, which is restored after this, or by one outside of the host."""
        way = entrance(host, inputs.settings, inputs.admin)
        before = known.prior.ports if known.prior else ()
        if way.behind_nat or way.port in before or not before:
            return host
        port = ([login.port for _, login in host.access.logins() if login.port in before] or [*before])[0]
        step, title = listening_on(inputs, {port, way.port}), self.title(inputs)
        guard = self.guard(step, known, host.access)
        change = Change(host, title, guard, lambda limit: host.confirm_everywhere(limit, login=host.login, port=port))
        try:
            if is_armed(change.run(self.apply(step, known))[0]):
                change.keep(self.observe(step))
        except Failure as error:
            raise Failure(
                f"{host.name}: {title}: sshd would go back to port {port}, where nobody can log in now. Open port "
                f"{port} first, in every firewall before this host; in the stack config, under the host: "
                f"`firewall: {{services: [{{name: sshd before, ports: [{port}]}}]}}`. Then `up`, and `destroy` again."
                f"\n{error}"
            ) from error
        return host


def listening_on(inputs: SshdInputs, ports: AbstractSet[int]) -> SshdInputs:
    """Return the same settings with these ports instead of the declared ones."""
    lines = effective.without(inputs.settings, [f"Port {port}" for port in {*effective.ports(inputs.settings), *ports}])
    return inputs.model_copy(update={"settings": lines + "".join(f"Port {port}\n" for port in sorted(ports))})


def _values(inputs: SshdInputs) -> dict[str, str]:
    text = inputs.settings
    return {
        "head": HEADER + effective.written(text),
        "modern": algorithms.table() if algorithms.MODERN in text else "",
        "oldest": algorithms.OLDEST,
        "match": effective.match_all(text),
        "keys": effective.pattern(text),
        "silence": effective.silenced(text),
        "ports": " ".join(map(str, effective.ports(text))),
        "admin": inputs.admin,
        "give_back": "",
        "first": "",
    }
