"""For each policy, a stack that passes and one that fails, with the message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rules.language.render import render
from rules.presets import guide as presets
from rules.values.family import Family

from .analyzer import DYNAMIC, Declared, ruleset

GUIDE = Path(__file__).parents[1] / "unit" / "rules" / "data" / "guide"
V4 = (GUIDE / "v4.txt").read_text()
V6 = render(presets.web(Family.IPV6))
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPcXUGdbFXHkJMKaJl6QK/0yA0Jv6IoBCT7cCGj0bGmE deploy@office"
RSA_1024 = (
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDkles4SP6KwTIddmI40rTpD6C26qM581rHH5Aa2pLrs3PKZJevFPvrrOfLnjbu"
    "7xhtFo1pt5YoqU70jk9xLyqIySFSOed6yN5dHkjHkvL94J/ttKRaCW30hAztZdHOrQcIunLZT1eTaTt/ets+9FAz6zxTGqyyaV1B"
    "7C1Ln2JEsQ== old@laptop"
)


@dataclass(frozen=True)
class Case:
    """One policy: a good stack, a bad one, and the message; `config`: that of other policies, by name."""

    policy: str
    good: Declared | Sequence[Declared]
    bad: Declared | Sequence[Declared]
    message: str
    mandatory: bool = True
    config: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


def without(rules: str, *lines: str) -> str:
    """A ruleset without some lines, each of which must be in it."""
    kept = rules.splitlines()
    for line in lines:
        kept.remove(line)
    return "\n".join(kept)


def with_first(rules: str, *lines: str) -> str:
    """A ruleset with additional rules at the head of its filter table."""
    return rules.replace("*filter\n", "\n".join(("*filter", *lines, "")), 1)


def resource(kind: str, host: str = "web1", **props: object) -> Declared:
    """A resource of a host."""
    return Declared(f"{DYNAMIC}{kind}", f"{host}-{kind}".lower(), {"host": host, **props})


def hardened(name: str) -> Declared:
    """A host's component."""
    return Declared("stockade:index:HardenedHost", name)


ADMIN = {"admin": {"host": "198.51.100.7", "user": "deploy", "port": 2222.0}}
WEB = ruleset(V4)

PUBLISHED = "tcp/5432 from anywhere, forwarded to 172.17.0.2:5432 by nat DOCKER 2 and filter DOCKER 1"

CASES = [
    Case(
        "default-deny-ipv4",
        ruleset(V4),
        ruleset(without(V4, "-A INPUT -j REJECT")),
        "web1: INPUT is not default-deny for IPv4: everything from anywhere can be reached. End INPUT with "
        "`-A INPUT -j REJECT`, and accept above it what others need.",
    ),
    Case(
        "default-deny-ipv6",
        ruleset(V6, "ipv6"),
        ruleset(with_first(V6, "-A INPUT -s 2001:db8:1::/48 -p tcp -j ACCEPT"), "ipv6"),
        "web1: INPUT is not default-deny for IPv6: tcp from 2001:db8:1::/48 can be reached. End INPUT with "
        "`-A INPUT -j REJECT`, and accept above it what others need.",
    ),
    Case(
        "forwarding-denied",
        ruleset(V4),
        ruleset(without(V4, "-A FORWARD -j REJECT")),
        "web1: FORWARD is not default-deny for IPv4: everything from anywhere is forwarded. End FORWARD with "
        "`-A FORWARD -j REJECT`, and accept above it what is to be forwarded.",
    ),
    Case(
        "both-families",
        [ruleset(V4), ruleset(V6, "ipv6")],
        [ruleset(V4), ruleset(V6, "ipv6"), ruleset(V4, host="db1")],
        "db1: nothing filters IPv6. Declare `stockade:firewall` for it (a `Firewall` always has both families; "
        "`ipv6Mode: reject` turns IPv6 off).",
    ),
    Case(
        "kept-firewall",
        [resource("KeptFirewall", program="ufw", observed={"active": True, "ipv4": V4, "ipv6": V6})],
        [
            resource(
                "KeptFirewall",
                program="ufw",
                observed={"active": True, "ipv4": V4.replace("--dport 443 ", "--dport 8080 "), "ipv6": V6},
            )
        ],
        "web1: exposure-allowed: tcp/8080 from anywhere can be reached and must not be. Remove the rules, or add "
        '"tcp/8080 from anywhere" to allowedExposure.',
    ),
    Case(
        "exposure-allowed",
        ruleset(V4),
        ruleset(with_first(V4, "-A INPUT -p tcp --dport 8080 -j ACCEPT")),
        'web1: tcp/8080 from anywhere can be reached and must not be. Remove the rules, or add "tcp/8080 from '
        'anywhere" to allowedExposure.',
    ),
    Case(
        "published-allowed",
        [ruleset(V4, observed={"published": []})],
        [ruleset(V4, observed={"published": [PUBLISHED]})],
        f"web1: exposure-allowed: {PUBLISHED}: this can be reached and must not be. Publish it to the loopback (`-p "
        "127.0.0.1:...`), deny it in DOCKER-USER, or add it to allowedExposure.",
    ),
    Case(
        "way-in",
        [ruleset(V4.replace("--dport 22 ", "--dport 2222 "), connection=ADMIN)],
        [ruleset(V4, connection=ADMIN)],
        "web1: nobody can connect to SSH on port 2222 over IPv4. Add `-A INPUT -p tcp --dport 2222 -j ACCEPT` above "
        "the rule that denies.",
    ),
    Case(
        "loopback-spoofing-refused",
        ruleset(V4),
        ruleset(without(V4, "-A INPUT ! -i lo -s 127.0.0.0/8 -j REJECT")),
        "web1: packets that come from another interface than lo and say they come from 127.0.0.0/8 are accepted. Add "
        "`-A INPUT ! -i lo -s 127.0.0.0/8 -j REJECT` above the rules that accept.",
    ),
    Case(
        "replies-accepted",
        ruleset(V4),
        ruleset(without(V4, "-A INPUT -m state --state ESTABLISHED,RELATED -j ACCEPT")),
        "web1: answers on TCP, answers on UDP, ICMP errors about open connections do not get in: connections that the "
        "host opens hang. Add `-A INPUT -m state --state ESTABLISHED,RELATED -j ACCEPT` above the rule that denies.",
    ),
    Case(
        "icmpv6-accepted",
        ruleset(V6, "ipv6"),
        ruleset((GUIDE / "v6.txt").read_text(), "ipv6"),
        "web1: ICMPv6 listener query (130), router-advertisement (134), neighbour-solicitation (135), "
        "neighbour-advertisement (136) does not get in. Neighbours cannot find the host: IPv6 stops working. Accept "
        "these types without a state match (tracking leaves them out), as `-A INPUT -p icmpv6 --icmpv6-type 136 -j "
        "ACCEPT`, above the rule that denies.",
    ),
    Case(
        "denied-logged",
        ruleset(V4),
        ruleset(without(V4, *(line for line in V4.splitlines() if "iptables_INPUT_denied" in line))),
        "web1: what INPUT denies is not logged. Add `-A INPUT -m limit --limit 5/min -j LOG --log-prefix "
        '"iptables_INPUT_denied: " --log-level 7` above the rule that denies, or set `log: true` under '
        "`stockade:firewall`.",
        mandatory=False,
    ),
    Case(
        "no-dead-rules",
        ruleset(V4),
        ruleset(V4.replace("-A INPUT -j REJECT", "-A INPUT -j REJECT\n-A INPUT -p tcp --dport 8080 -j ACCEPT")),
        "web1: rule 10 of INPUT (-A INPUT -p tcp -m tcp --dport 8080 -j ACCEPT) never matches: rule 9 decides before "
        "it. Remove it, or move it up if it is meant to take effect.",
        mandatory=False,
    ),
    Case(
        "no-root-login",
        resource("Sshd", settings="PermitRootLogin no\n"),
        resource("Sshd", settings="PasswordAuthentication no\n"),
        'web1: root may log in (PermitRootLogin prohibit-password). Declare `permitRootLogin: "no"` under '
        "`stockade:sshd`, its default.",
    ),
    Case(
        "no-passwords",
        resource("Sshd", settings="KbdInteractiveAuthentication no\nPasswordAuthentication no\n"),
        resource("Sshd", settings="KbdInteractiveAuthentication no\nPasswordAuthentication yes\n"),
        "web1: passwords let people in (PasswordAuthentication yes). Declare `passwordAuthentication: false` under "
        "`stockade:sshd`, its default, or ask for a key as well: `AuthenticationMethods: "
        "publickey,keyboard-interactive`.",
    ),
    Case(
        "sshd-declared",
        [hardened("web1"), resource("Sshd", settings="")],
        [hardened("web1"), WEB],
        "web1: nothing says who may log in over SSH. Declare `stockade:sshd: {}`: no root, no passwords.",
    ),
    Case(
        "no-weak-logins",
        resource("Sshd", settings="HostbasedAuthentication no\nPermitEmptyPasswords no\n"),
        resource("Sshd", settings="HostbasedAuthentication yes\nPermitEmptyPasswords no\n"),
        "web1: sshd trusts others about who somebody is (HostbasedAuthentication yes). Remove it from `settings` under "
        '`stockade:sshd`, or add "HostbasedAuthentication" to allowedKeywords.',
    ),
    Case(
        "strong-algorithms",
        resource("Sshd", settings="Ciphers -*-cbc\nMACs hmac-sha2-512-etm@openssh.com\n"),
        resource("Sshd", settings="Ciphers aes256-gcm@openssh.com,aes128-cbc\n"),
        "web1: sshd accepts broken algorithms: aes128-cbc (Ciphers aes256-gcm@openssh.com,aes128-cbc). Remove it from "
        "`settings` under `stockade:sshd`: OpenSSH's defaults are good. Or add it to allowedAlgorithms.",
    ),
    Case(
        "no-open-tunnels",
        resource("Sshd", settings="GatewayPorts no\n"),
        resource("Sshd", settings="GatewayPorts clientspecified\n"),
        "web1: sshd opens tunnels that the firewall does not see (GatewayPorts clientspecified). Remove it from "
        "`settings` "
        'under `stockade:sshd`, or add "GatewayPorts" to allowedKeywords.',
        mandatory=False,
    ),
    Case(
        "no-authority-keys",
        resource("LimitedUser", name="deploy", keys=[ED25519]),
        resource("LimitedUser", name="deploy", keys=[ED25519, f'cert-authority,principals="deploy" {ED25519}']),
        "web1: key 2 of deploy (SHA256:P19p3Nd9DvjAEpGrPxQ4L3o2SVmV/lVbmHIUiiYXBWo) is an authority: "
        "whoever has it can make keys that get in. Name the users' own keys, or add its fingerprint to authorities.",
    ),
    Case(
        "no-outside-keys",
        resource("Sshd", settings="AuthorizedKeysCommand none\n"),
        resource("Sshd", settings="TrustedUserCAKeys /etc/ssh/ca.pub\n"),
        "web1: sshd accepts keys from outside the stack (TrustedUserCAKeys /etc/ssh/ca.pub). Remove it from "
        '`settings` under `stockade:sshd`, or add "TrustedUserCAKeys" to allowedKeywords.',
    ),
    Case(
        "no-root-groups",
        resource("LimitedUser", name="deploy", sudo="password", groups=["adm", "sudo", "www-data"]),
        resource("LimitedUser", name="guest", sudo="none", groups=["www-data", "docker"]),
        "web1: guest (sudo none) is in the group docker, whose members are root in all but name. Take it from "
        '`groups` of the user, or add "guest:docker" to allowedMembers.',
    ),
    Case(
        "ban-exemptions-narrow",
        resource("Fail2Ban", config="[sshd]\nignoreip = 127.0.0.0/8 ::1 10.0.0.0/8 198.51.100.0/24 vpn.example\n"),
        resource("Fail2Ban", config="[sshd]\nignoreip = 127.0.0.0/8 ::1 0.0.0.0/0\n"),
        "web1: jail sshd exempts everybody on IPv4 from bans (127.0.0.0/8 ::1 0.0.0.0/0). Name those in `ignoreip` "
        "under `stockade:fail2ban` who must never be banned, and nobody else.",
    ),
    Case(
        "strong-keys",
        resource("LimitedUser", name="deploy", keys=[ED25519]),
        resource("LimitedUser", name="deploy", keys=[ED25519, RSA_1024]),
        "web1: key 2 of deploy (SHA256:E7G5k/N4R4wDQIwFTBkaiOVU/10YuoAi8JM01hv9JE4) is RSA of 1024 bits; 3072 are the "
        "least. Replace it: "
        "`ssh-keygen -t ed25519`.",
    ),
    Case(
        "strong-key-pair",
        Declared(f"{DYNAMIC}KeyPair", "operator", {"path": "~/.ssh/id_rsa", "type": "rsa", "bits": 4096.0}),
        Declared(f"{DYNAMIC}KeyPair", "operator", {"path": "~/.ssh/id_rsa", "type": "rsa", "bits": 2048.0}),
        "operator: the key pair ~/.ssh/id_rsa is RSA of 2048 bits; 3072 are the least. Declare `bits: 3072` under "
        "`stockade:keyPair`.",
    ),
    Case(
        "limited-user",
        [resource("LimitedUser", name="deploy", sudo="nopasswd", keys=[ED25519])],
        [resource("LimitedUser", name="deploy", sudo="none", keys=[ED25519])],
        "web1: there is no limited user with a key and sudo (password or nopasswd). Declare one under "
        "`stockade:users`: `{name: deploy, sudo: nopasswd, keyFiles: [~/.ssh/id_ed25519.pub]}`.",
    ),
    Case(
        "fail2ban-on",
        [resource("Fail2Ban", enabled=True, config="[sshd]\nenabled = true\n")],
        [resource("Fail2Ban", enabled=True, config="[sshd]\nenabled = false\n")],
        "web1: fail2ban does not run sshd. Leave `enabled` at true under `stockade:fail2ban`, also for the jail.",
    ),
    Case(
        "updates-on",
        [resource("AutomaticUpdates", enabled=True)],
        [resource("AutomaticUpdates", enabled=False)],
        "web1: automatic updates are turned off. Remove `enabled: false` under `stockade:updates`.",
    ),
    Case(
        "unwanted-absent",
        [resource("Packages", absent=["exim4-daemon-light", "rpcbind"])],
        [resource("Packages", absent=["rpcbind"])],
        "web1: exim4-daemon-light may be there, or come back. Declare it under `stockade:packages`: `absent: "
        "[exim4-daemon-light]`.",
    ),
    Case(
        "listeners-expected",
        [resource("Listeners", observed={"unexpected": []})],
        [resource("Listeners", observed={"unexpected": ["tcp 0.0.0.0:111 rpcbind (package rpcbind)"]})],
        "web1: tcp 0.0.0.0:111 rpcbind (package rpcbind) listens unexpectedly. Remove the package (`absent` "
        "under `stockade:packages`), or name it in `expected` under `stockade:listeners`.",
    ),
    Case(
        "no-forgotten-machine",
        [Declared("linode:index/instance:Instance", "box"), Declared(f"{DYNAMIC}Ruleset", "r", WEB.props, ("box",))],
        [Declared("linode:index/instance:Instance", "box"), WEB],
        'box (linode:index/instance:Instance) is not hardened by anything. Add `HardenedHost("box", '
        'connection={"host": ..., ...})` with its address as an Output.',
    ),
    Case(
        "waivers-needed",
        [hardened("web1"), hardened("old1")],
        [hardened("web1")],
        "waivedHosts of both-families names hosts that do not exist: old1.",
        mandatory=False,
        config={"both-families": {"waivedHosts": {"old1": "no IPv6 there", "web1": "none here, either"}}},
    ),
]
