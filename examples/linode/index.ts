// A server with keys made for it: its address, its host key and the key that logs in are unknown until it is there.
import * as linode from "@pulumi/linode";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import * as stockade from "pulumi-stockade";

const hostKey = new tls.PrivateKey("web1-host", { algorithm: "ED25519" });
const operator = new tls.PrivateKey("operator", { algorithm: "ED25519" });

// cloud-init gives the server the host key by which it is then known
const userData = hostKey.privateKeyOpenssh.apply((key) =>
    JSON.stringify({ ssh_deletekeys: true, ssh_keys: { ed25519_private: key } }),
);

const server = new linode.Instance("web1", {
    region: "eu-central",
    type: "g6-nanode-1",
    image: "linode/debian12",
    authorizedKeys: [operator.publicKeyOpenssh.apply((line) => line.trim())],
    metadatas: [{ userData: userData.apply((text) => Buffer.from("#cloud-config\n" + text).toString("base64")) }],
});

const login = {
    host: server.ipv4s.apply(([address]) => address),
    hostKey: hostKey.publicKeyOpenssh.apply((line) => line.trim()),
    privateKey: operator.privateKeyOpenssh,
};

const web1 = new stockade.HardenedHost("web1", {
    connection: {
        admin: { ...login, user: "deploy" },
        bootstrap: { ...login, user: "root" },
        connectTimeout: 300,
    },
    keys: [operator.publicKeyOpenssh],
    firewall: {},
    sysctl: {},
    users: [{ name: "deploy", sudo: "nopasswd" }],
    sshd: {},
});

export const enforced = web1.enforced;
