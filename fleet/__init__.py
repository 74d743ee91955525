"""Runs all stacks of an environment at once: through Pulumi's Automation API, or with the embedded engine."""
