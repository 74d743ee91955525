"""What a host has before anybody declares anything: accounts, and sshd's settings that are not the distribution's."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from components.sshd import effective
from hosts.errors import understanding
from hosts.host import Host
from hosts.scripts import script
from hosts.shell import Script

_SURVEY = Script("look what the host has", script("adopt/survey.sh"), {"admin": "", "head": ""})
_KEYWORDS = """
AcceptEnv AddressFamily AllowAgentForwarding AllowGroups AllowStreamLocalForwarding AllowTcpForwarding AllowUsers
AuthenticationMethods AuthorizedKeysCommand AuthorizedKeysCommandUser AuthorizedKeysFile AuthorizedPrincipalsCommand
AuthorizedPrincipalsCommandUser AuthorizedPrincipalsFile Banner CASignatureAlgorithms ChannelTimeout ChrootDirectory
Ciphers ClientAliveCountMax ClientAliveInterval Compression DenyGroups DenyUsers DisableForwarding ExposeAuthInfo
FingerprintHash ForceCommand GatewayPorts GSSAPIAuthentication GSSAPICleanupCredentials GSSAPIKeyExchange
GSSAPIStoreCredentialsOnRekey GSSAPIStrictAcceptorCheck HostbasedAcceptedAlgorithms HostbasedAuthentication
HostbasedUsesNameFromPacketOnly HostKeyAlgorithms IgnoreRhosts IgnoreUserKnownHosts IPQoS KbdInteractiveAuthentication
KerberosAuthentication KerberosOrLocalPasswd KerberosTicketCleanup KexAlgorithms LoginGraceTime LogLevel LogVerbose
MACs MaxAuthTries MaxSessions MaxStartups ModuliFile PasswordAuthentication PermitEmptyPasswords PermitListen PermitOpen
PermitRootLogin PermitTTY PermitTunnel PermitUserEnvironment PermitUserRC PerSourceMaxStartups PerSourceNetBlockSize
PerSourcePenalties PidFile PrintLastLog PrintMotd PubkeyAcceptedAlgorithms PubkeyAuthOptions PubkeyAuthentication
RekeyLimit RequiredRSASize RevokedKeys StreamLocalBindMask StreamLocalBindUnlink StrictModes SyslogFacility TCPKeepAlive
TrustedUserCAKeys UnusedConnectionTimeout UseDNS UsePAM VersionAddendum X11DisplayOffset X11Forwarding X11UseLocalhost
XAuthLocation
"""
_SPELLED = {keyword.lower(): keyword for keyword in _KEYWORDS.split()}
"""Keywords of sshd_config(5) as people write them; `sshd -T` prints them in lower case."""
_AS_SHIPPED = {
    "": ("usepam", "x11forwarding", "printmotd", "acceptenv", "authorizedkeysfile", "syslogfacility"),
    "debian": ("usepam",),
}
"""Keywords that distributions set in the file they ship, of which a host may have no unchanged copy."""
_APART = frozenset({"port", "listenaddress", "hostkey", "hostcertificate", "subsystem", "include"})


@dataclass(frozen=True)
class Account:
    """An account that a person may have."""

    name: str
    uid: int
    shell: str


@dataclass(frozen=True)
class Survey:
    """What was found; texts of `sshd -T` are empty without an OpenSSH server.

    `matches`: Match lines of sshd's configuration, which stay as they are. `chains`: those of iptables that are not
    built in. `forwards`: the families (`ipv4`, `ipv6`) in which the host forwards packets. `useless_keys`: users, and
    the types of their keys that sshd no longer accepts. `sudo`: what sudo allows each user, as `sudo -l` prints it.
    `boot`: the kernel's identifier of this boot, which even copies of a machine do not share.
    """

    name: str
    distribution: str
    family: str
    accounts: tuple[Account, ...]
    sshd_settings: str
    matches: tuple[str, ...]
    chains: tuple[str, ...] = ()
    forwards: tuple[str, ...] = ()
    useless_keys: tuple[tuple[str, str], ...] = ()
    sudo: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    boot: str = ""


def survey(host: Host) -> Survey:
    """Look at a host. Raises any HostError."""
    answer = host.read(_SURVEY)
    with understanding(host.name, "", _SURVEY.step):
        return _surveyed(answer.sections)


def _surveyed(part: Mapping[str, str]) -> Survey:
    distribution, version, family = [*part["distro"].splitlines(), "", "", ""][:3]
    accounts = (line.split(":")[:3] for line in part["accounts"].splitlines() if line.count(":") >= 2)
    notes = [line.split(" ", 2) for line in part.get("notes", "").splitlines() if " " in line]
    sudo: dict[str, tuple[str, ...]] = {}
    for user, _, rule in (note for note in notes if note[1:2] == ["sudo"] and len(note) == 3):
        sudo[user] = (*sudo.get(user, ()), rule)
    return Survey(
        name=part["name"].strip(),
        distribution=f"{distribution} {version}".strip(),
        family=family,
        accounts=tuple(Account(name, int(uid), shell) for name, uid, shell in accounts if uid.isdecimal()),
        sshd_settings=changed_settings(part, family),
        matches=tuple(line.strip() for line in part.get("matches", "").splitlines()),
        chains=tuple(part.get("chains", "").splitlines()),
        forwards=tuple(
            name
            for name, value in zip(("ipv4", "ipv6"), part.get("forwards", "").split(), strict=False)
            if value != "0"
        ),
        useless_keys=tuple((note[0], note[1]) for note in notes if note[1] == "ssh-dss"),
        sudo=sudo,
        boot=part.get("boot", "").strip(),
    )


def changed_settings(part: Mapping[str, str], family: str) -> str:
    """Return the settings of sshd that are not the distribution's, and the guide's in any case, as canonical lines."""
    shipped, there = _lines(part.get("shipped", "")), _lines(part.get("effective", ""))
    ignored = _AS_SHIPPED.get(family, _AS_SHIPPED[""]) if shipped else tuple(there)
    kept = []
    for keyword, values in there.items():
        guides = keyword in ("permitrootlogin", "passwordauthentication", "kbdinteractiveauthentication")
        if keyword in _APART or keyword not in _SPELLED or not values[0]:
            continue
        if guides or (values != shipped.get(keyword) and keyword not in ignored and "none" not in values):
            kept += [f"{_SPELLED[keyword]} {value}" for value in values]
    text = ""
    for line in kept:
        try:
            text = effective.canonical(text + line + "\n")
        except ValueError:
            continue  # a value that nobody could declare
    return text


def _lines(printed: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in printed.splitlines():
        keyword, _, value = line.strip().partition(" ")
        found.setdefault(keyword, []).append(value)
    return found
