"""A hardened server."""

import pulumi
import pulumi_stockade as stockade

config = pulumi.Config()
login: stockade.LoginArgsDict = {
    "host": config.require("address"),
    "host_key": config.require("hostKey"),
    "private_key_file": config.get("keyFile") or "~/.ssh/id_ed25519",
}

web1 = stockade.HardenedHost(
    "web1",
    connection={"admin": {**login, "user": "deploy"}, "bootstrap": {**login, "user": "root"}},
    firewall={"preset": stockade.FirewallPreset.WEB},
    sysctl={},
    users=[{"name": "deploy", "sudo": stockade.UserSudo.NOPASSWD, "keys": [config.require("publicKey")]}],
    packages={"absent": ["exim4-daemon-light", "rpcbind"]},
    sshd={},
    fail2ban={},
    updates={},
    listeners={},
)
pulumi.export("enforced", web1.enforced)
