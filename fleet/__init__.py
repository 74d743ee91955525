"""All stacks of an environment at once: through Pulumi's Automation API, or the embedded engine without the CLI."""
