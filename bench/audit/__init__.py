"""Auditors that are not ours, asked about lab hosts before and after (docs/hardening-scores.md)."""
