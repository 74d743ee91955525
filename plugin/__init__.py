"""The package: a plugin that serves the same resources to programs in any language."""
