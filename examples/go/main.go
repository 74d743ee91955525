// Harden a server that already exists.
package main

import (
	"example.com/pulumi-stockade/sdk/go/stockade"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		settings := config.New(ctx, "")
		web1, err := stockade.NewHardenedHost(ctx, "web1", &stockade.HardenedHostArgs{
			Connection: &stockade.AccessArgs{
				Bootstrap: &stockade.LoginArgs{
					Host:           pulumi.String(settings.Require("address")),
					User:           pulumi.String("root"),
					HostKey:        pulumi.String(settings.Require("hostKey")),
					PrivateKeyFile: pulumi.String(settings.Require("keyFile")),
				},
			},
			Firewall: &stockade.FirewallSettingsArgs{},
			Sysctl:   &stockade.SysctlSettingsArgs{},
			Users: stockade.UserSettingsArray{
				&stockade.UserSettingsArgs{
					Name:     pulumi.String("deploy"),
					Password: settings.RequireSecret("password"),
					Keys:     pulumi.StringArray{pulumi.String(settings.Require("publicKey"))},
				},
			},
		})
		if err != nil {
			return err
		}
		ctx.Export("enforced", web1.Enforced)
		return nil
	})
}
