"""The process that serves every dynamic resource of this project to Pulumi's engine."""
