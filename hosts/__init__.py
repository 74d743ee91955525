"""A Linux host over SSH: connection, scripts, files, packages, services. Nothing of Pulumi in here."""
