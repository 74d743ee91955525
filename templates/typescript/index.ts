import * as pulumi from "@pulumi/pulumi";
import * as stockade from "pulumi-stockade";

const config = new pulumi.Config();
const login = {
    host: config.require("address"),
    hostKey: config.require("hostKey"),
    privateKeyFile: config.get("keyFile") ?? "~/.ssh/id_ed25519",
};

const web1 = new stockade.HardenedHost("web1", {
    connection: { admin: { ...login, user: "deploy" }, bootstrap: { ...login, user: "root" } },
    firewall: { preset: "web" },
    sysctl: {},
    users: [{ name: "deploy", sudo: "nopasswd", keys: [config.require("publicKey")] }],
    packages: { absent: ["exim4-daemon-light", "rpcbind"] },
    sshd: {},
    fail2ban: {},
    updates: {},
    listeners: {},
});

export const enforced = web1.enforced;
