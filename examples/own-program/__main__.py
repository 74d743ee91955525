"""Make a machine, and harden it in the same run: its address and its keys are known only once it is there."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout of Stockade

import pulumi
from machine import Machine

from components.host import HardenedHost
from components.registry import Hardening

config = pulumi.Config()
machine = Machine("web1", config.require_secret_object("server"))
login = {"host": machine.address, "hostKey": machine.host_key, "privateKey": machine.private_key}

host = HardenedHost(
    "web1",
    {"admin": {**login, "user": "deploy"}, "bootstrap": {**login, "user": "root"}},
    Hardening.model_validate(
        {
            "users": [{"name": "deploy", "sudo": "nopasswd"}],
            "packages": {"absent": ["exim4-daemon-light", "rpcbind"]},
            "firewall": {"preset": "web"},
            "sshd": {},
            "fail2ban": {},
            "updates": {},
            "listeners": {},
        }
    ),
    keys=[machine.public_key],
)
pulumi.export("web1", host.enforced)
