import * as pulumi from "@pulumi/pulumi";
import * as stockade from "pulumi-stockade";

const config = new pulumi.Config();

const web1 = new stockade.HardenedHost("web1", {
    connection: {
        bootstrap: {
            host: config.require("address"),
            user: "root",
            hostKey: config.require("hostKey"),
            privateKeyFile: config.require("keyFile"),
        },
    },
    firewall: {},
    sysctl: {},
    users: [{ name: "deploy", password: config.requireSecret("password"), keys: [config.require("publicKey")] }],
});

export const enforced = web1.enforced;
