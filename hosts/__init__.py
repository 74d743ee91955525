"""A Linux host over SSH: connection, scripts, files, packages and services. Nothing here depends on Pulumi."""
