"""Takes secrets out of text that a person or a log may see."""

from collections.abc import Iterable

MASK = "***"
_SHORTEST_LINE = 6


def mask(text: str, secrets: Iterable[str]) -> str:
    """`text` with every secret replaced by `***`: as it is, as the shell quotes it, and line by line."""
    for form in sorted(_forms(secrets), key=len, reverse=True):
        text = text.replace(form, MASK)
    return text


def _forms(secrets: Iterable[str]) -> set[str]:
    forms: set[str] = set()
    for secret in secrets:
        stripped = secret.strip()
        forms |= {secret, stripped, stripped.replace("'", "'\\''")}
        # a program may print one line of a key; very short lines would mask half of every message
        forms |= {line for line in stripped.splitlines() if len(line) >= _SHORTEST_LINE}
    return {form for form in forms if form.strip()}
