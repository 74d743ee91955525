"""Harden a server that already exists."""

import pulumi
import pulumi_stockade as stockade

config = pulumi.Config()

web1 = stockade.HardenedHost(
    "web1",
    connection={
        "bootstrap": {
            "host": config.require("address"),
            "user": "root",
            "host_key": config.require("hostKey"),
            "private_key_file": config.require("keyFile"),
        }
    },
    firewall={},
    sysctl={},
    users=[{"name": "deploy", "password": config.require_secret("password"), "keys": [config.require("publicKey")]}],
)
pulumi.export("enforced", web1.enforced)
