"""The process that Pulumi's engine talks to for every dynamic resource of this project."""
