"""The `stockade` command (docs/command.md)."""
