"""Whatever opens a back door to a host is named, however it is spelled, and each has a setting that allows it."""

from __future__ import annotations

import pytest

from components.keys.authorized_keys import parse_key

from .analyzer import Declared, Pack, only
from .cases import ED25519, resource


def jail(config: str) -> Declared:
    return resource("Fail2Ban", config=config)


def sshd(settings: str) -> Declared:
    return resource("Sshd", settings=settings)


def user(**props: object) -> Declared:
    return resource("LimitedUser", **{"name": "guest", "sudo": "none", "keys": [ED25519], **props})


def violated(pack: Pack, policy: str, stack: Declared) -> bool:
    return bool(only(pack.analyze(stack), policy))


@pytest.mark.parametrize(
    ("ignored", "told"),
    [
        ("0.0.0.0/0", True),
        ("::/0", True),
        ("0/0", True),
        ("0.0.0.0/0.0.0.0", True),
        ("0.0.0.0/1 128.0.0.0/1", True),
        ("0.0.0.0/2 64.0.0.0/2,128.0.0.0/2\n          192.0.0.0/2", True),
        ("0.0.0.0/1", True),
        ("::ffff:0:0/96", True),
        ("::ffff:0.0.0.0/97", True),
        ("2000::/3", True),
        ("2001::/16 2400::/12", True),
        ("%(stockade_operator)s %(stockade_kept_sshd)s 0.0.0.0/0", True),
        ("%(everybody)s", True),  # cannot be decided
        ("0.0.0.0/+0", True),  # fail2ban parses the digits like Python's int()
        ("0.0.0.0/0_0 ::/-0", True),
        ("0.0.0.0/\u0660", True),
        ("file:/var/lib/ours/everybody", True),
        ("::%eth0/x", True),
        ("10.0.0.0/8 fc00::/7 127.0.0.1/8", False),
        ("198.51.100.0/24 2001:db8::/48 office.example %(stockade_operator)s", False),
        ("", False),
    ],
)
def test_exemptions_of_everybody(pack: Pack, ignored: str, told: bool) -> None:
    pack.configure({})
    assert violated(pack, "ban-exemptions-narrow", jail(f"[sshd]\nenabled = true\nignoreip = {ignored}\n")) is told
    assert violated(pack, "ban-exemptions-narrow", jail(f"[a]\nenabled = true\n[b]\nignoreip: {ignored}\n")) is told


@pytest.mark.parametrize(
    ("ignored", "said"),
    [
        ("0.0.0.0/0", "everybody on IPv4"),
        ("0.0.0.0/1 128.0.0.0/1", "everybody on IPv4"),
        ("::/0", "everybody on IPv6"),
        ("198.48.0.0/12", f"{2**20} IPv4 addresses, of which 65536 may be,"),
        ("2001:db8::/31", f"{2**97} IPv6 addresses, of which {2**96} may be,"),
    ],
)
def test_how_many_are_exempted_is_said(pack: Pack, ignored: str, said: str) -> None:
    pack.configure({})
    told = only(pack.analyze(jail(f"[sshd]\nignoreip = {ignored}\n")), "ban-exemptions-narrow")
    assert any(f"jail sshd exempts {said} from bans ({ignored})." in one.message for one in told)


def test_a_command_that_exempts(pack: Pack) -> None:
    stack = jail("[sshd]\nignorecommand = /bin/true <ip>\n")
    pack.configure({})
    assert violated(pack, "ban-exemptions-narrow", stack)
    pack.configure({"ban-exemptions-narrow": {"ignoreCommands": ["/bin/true <ip>"]}})
    assert not violated(pack, "ban-exemptions-narrow", stack)
    pack.configure({"ban-exemptions-narrow": {"ipv4Addresses": 2**32}})
    assert not violated(pack, "ban-exemptions-narrow", jail("[sshd]\nignoreip = 0.0.0.0/0\n"))


def test_a_pattern_that_exempts(pack: Pack) -> None:
    stack = jail("[sshd]\nignoreregex = .*\n")
    pack.configure({})
    assert violated(pack, "ban-exemptions-narrow", stack)
    pack.configure({"ban-exemptions-narrow": {"ignoreCommands": [".*"]}})
    assert not violated(pack, "ban-exemptions-narrow", stack)


@pytest.mark.parametrize(
    ("sudo", "group", "told"),
    [
        *(
            ("none", group, True)
            for group in (
                "docker",
                "lxd",
                "disk",
                "shadow",
                "kmem",
                "sudo",
                "wheel",
                "admin",
                "google-sudoers",
                "libvirtd",
            )
        ),
        *(("password", group, True) for group in ("docker", "disk", "root")),
        *(("password", group, False) for group in ("sudo", "wheel", "adm", "www-data")),
        ("none", "adm", False),
    ],
)
def test_groups_that_are_root(pack: Pack, sudo: str, group: str, told: bool) -> None:
    pack.configure({})
    assert violated(pack, "no-root-groups", user(sudo=sudo, groups=["users", group])) is told
    pack.configure({"no-root-groups": {"allowedMembers": [f"guest:{group}"]}})
    assert not violated(pack, "no-root-groups", user(sudo=sudo, groups=["users", group]))


@pytest.mark.parametrize(
    ("policy", "line", "told"),
    [
        ("no-weak-logins", "HostbasedAuthentication yes", True),
        ("no-weak-logins", "hostbasedauthentication YES", True),
        ("no-weak-logins", 'HOSTBASEDAUTHENTICATION "yes"', True),
        ("no-weak-logins", "PermitEmptyPasswords = yes", True),
        ("no-weak-logins", "permitemptypasswords\tyes", True),
        ("no-weak-logins", "PermitUserEnvironment LD_*", True),
        ("no-weak-logins", "PermitUserEnvironment yes", True),
        ("no-weak-logins", "IgnoreRhosts no", True),
        ("no-weak-logins", "StrictModes no", True),
        ("no-weak-logins", 'PermitEmptyPasswords "no"', False),
        ("no-weak-logins", "IgnoreRhosts shosts-only", False),
        ("no-outside-keys", "TrustedUserCAKeys /etc/ssh/ca.pub", True),
        ("no-outside-keys", 'trustedusercakeys "/etc/ssh/ca.pub"', True),
        ("no-outside-keys", "AuthorizedKeysCommand /usr/bin/keys %u", True),
        ("no-outside-keys", "AuthorizedPrincipalsCommand /usr/bin/p", True),
        ("no-outside-keys", "TrustedUserCAKeys none", False),
        ("no-outside-keys", "AuthorizedKeysFile /srv/keys/%u", True),
        ("no-outside-keys", 'authorizedkeysfile ".ssh/authorized_keys" /srv/keys', True),
        ("no-outside-keys", "AuthorizedKeysFile .ssh/authorized_keys .ssh/authorized_keys2", False),
        ("no-outside-keys", "SecurityKeyProvider /srv/own.so", True),
        ("no-outside-keys", "SshdAuthPath /srv/sshd-auth", True),
        ("no-weak-logins", "GSSAPIAuthentication yes", True),
        ("no-weak-logins", "kerberosauthentication = yes", True),
        ("no-outside-keys", "AuthorizedKeysCommandUser nobody", False),
        ("strong-algorithms", "Ciphers aes128-cbc", True),
        ("strong-algorithms", "ciphers +3des-cbc", True),
        ("strong-algorithms", "Ciphers ^*-cbc", True),
        ("strong-algorithms", 'Ciphers "aes128-ctr,arcfour256"', True),
        ("strong-algorithms", "Ciphers = rijndael-cbc@lysator.liu.se", True),
        ("strong-algorithms", "MACs hmac-sha2-256,HMAC-MD5-96", True),
        ("strong-algorithms", "MACs hmac-sha1-96-etm@openssh.com", True),
        ("strong-algorithms", "KexAlgorithms +diffie-hellman-group1-sha1", True),
        ("strong-algorithms", "KexAlgorithms diffie-hellman-group-exchange-sha1", True),
        ("strong-algorithms", "HostKeyAlgorithms +ssh-dss", True),
        ("strong-algorithms", "HostKeyAlgorithms ssh-rsa", True),
        ("strong-algorithms", "PubkeyAcceptedKeyTypes +ssh-rsa-cert-v01@openssh.com", True),
        ("strong-algorithms", "PubkeyAcceptedAlgorithms *", True),
        ("strong-algorithms", "HostKey /etc/ssh/ssh_host_dsa_key", True),
        ("strong-algorithms", "RequiredRSASize 1024", True),
        ("strong-algorithms", "Protocol 2,1", True),
        ("strong-algorithms", "Ciphers -aes128-cbc,3des-cbc", False),
        ("strong-algorithms", "Ciphers chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes128-ctr", False),
        ("strong-algorithms", "MACs umac-128-etm@openssh.com,hmac-sha2-256", False),
        ("strong-algorithms", "KexAlgorithms sntrup761x25519-sha512@openssh.com,diffie-hellman-group16-sha512", False),
        ("strong-algorithms", "KexAlgorithms diffie-hellman-group14-sha256,ecdh-sha2-nistp256", False),
        ("strong-algorithms", "HostKeyAlgorithms ssh-ed25519,rsa-sha2-512,ecdsa-sha2-nistp256", False),
        ("strong-algorithms", "HostKey /etc/ssh/ssh_host_ecdsa_key", False),
        ("no-open-tunnels", "GatewayPorts YES", True),
        ("no-open-tunnels", "permittunnel point-to-point", True),
        ("no-open-tunnels", "PermitTunnel no", False),
    ],
)
def test_settings_of_sshd(pack: Pack, policy: str, line: str, told: bool) -> None:
    pack.configure({})
    assert violated(pack, policy, sshd(f"MaxAuthTries 5\n{line}\n")) is told
    keyword, name = (
        line.split(maxsplit=1)[0],
        "allowedAlgorithms" if policy == "strong-algorithms" else "allowedKeywords",
    )
    if told and policy != "strong-algorithms":
        pack.configure({policy: {name: [keyword]}})
        assert not violated(pack, policy, sshd(f"{line}\n"))


def test_an_algorithm_that_an_old_client_needs(pack: Pack) -> None:
    pack.configure({"strong-algorithms": {"allowedAlgorithms": ["hmac-sha1"]}})
    assert not violated(pack, "strong-algorithms", sshd("MACs hmac-sha2-256,hmac-sha1\n"))
    assert violated(pack, "strong-algorithms", sshd("MACs hmac-sha2-256,hmac-sha1,hmac-md5\n"))


@pytest.mark.parametrize("options", ["cert-authority", 'from="192.0.2.1",CERT-AUTHORITY', "no-pty,cert-authority"])
def test_keys_that_make_keys(pack: Pack, options: str) -> None:
    pack.configure({})
    assert violated(pack, "no-authority-keys", user(keys=[f"{options} {ED25519}"]))
    assert not violated(pack, "no-authority-keys", user(keys=[f'command="cert-authority,x" {ED25519}']))
    hidden = 'command="\\\\",environment="' + f',{options} {ED25519} x" ssh-ed25519 AAAA'  # sshd reads this key
    assert violated(pack, "no-authority-keys", user(keys=[hidden]))
    pack.configure({"no-authority-keys": {"authorities": ["SHA256:unlike"]}})
    assert violated(pack, "no-authority-keys", user(keys=[f"{options} {ED25519}"]))
    pack.configure({"no-authority-keys": {"authorities": [parse_key(ED25519).fingerprint]}})
    assert not violated(pack, "no-authority-keys", user(keys=[f"{options} {ED25519}"]))


@pytest.mark.parametrize("line", ['PermitRootLogin "yes"', "permitrootlogin = yes", "PERMITROOTLOGIN Yes"])
def test_root_by_another_spelling(pack: Pack, line: str) -> None:
    pack.configure({})
    assert violated(pack, "no-root-login", sshd(f"{line}\n"))
    assert not violated(pack, "no-root-login", sshd('PermitRootLogin "no"\n'))
