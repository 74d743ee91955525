"""Rule text to a ruleset and back: words, statements, specifications, and canonical form."""
