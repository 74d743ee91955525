"""Removes the secrets of a CI job's environment from what it publishes: comments, summaries, logs, artifacts.

The author of what is previewed must not be able to make the preview print them.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote

from components.config.named_files import REVIEW
from hosts.text.masking import MASK, printable
from hosts.text.textfiles import BadFile, read_text
from local.commands import LAB

_SECRET = re.compile(
    r"PASS|PWD|SECRET|TOKEN|KEY|CREDENTIAL|PRIVATE|JWT|AUTH|COOKIE|SIGNATURE|SALT|BEARER|(^|_)(PAT|SAS|PIN|DSN)(_|$)",
    re.I,
)
_NONE = frozenset(("PWD", "OLDPWD", "SSH_AUTH_SOCK", "XAUTHORITY"))
"""Variables whose names look secret but whose values are paths."""
MORE = "STOCKADE_SECRETS"
"""Names of further variables that contain secrets, for workflows with other names."""
_IN_ADDRESS = re.compile(
    r"//([^/?#@\s]*):([^/?#@\s]+)@|[?&](?:sig|signature|token|password|key|secret)=([^&#\s]+)", re.I
)
_SHORTEST, _SHORTEST_LINE = 3, 5
"""Anything shorter would mask half of every text."""


@dataclass(frozen=True)
class Mask:
    """Removes secrets from text, however they are encoded."""

    forms: tuple[str, ...] = ()

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Mask:
        """Return a mask for the secrets in an environment."""
        return cls(tuple(sorted(_forms(secrets_of(environment)), key=len, reverse=True)))

    def __call__(self, text: str) -> str:
        """Return the text without secrets and without terminal control characters."""
        for form in self.forms:
            text = text.replace(form, MASK)
        text = printable(text)
        for form in self.forms:  # forms with something invisible in them
            text = text.replace(form, MASK)
        return text


def clean(text: str) -> str:
    """Return a text as it may be shown; in CI, where it is published, without the secrets of this environment."""
    if os.environ.get("CI") or os.environ.get(REVIEW):
        return _mask(tuple(sorted(os.environ.items())))(text)
    return printable(text)


@lru_cache(maxsize=8)
def _mask(environment: tuple[tuple[str, str], ...]) -> Mask:
    return Mask.of(dict(environment))


def secrets_of(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield secrets: values of variables with secret-looking names, the files they name, and credentials in URLs.

    The lab's passphrase is not secret.
    """
    more = set(environment.get(MORE, "").replace(",", " ").split())
    for name, value in environment.items():
        for found in _IN_ADDRESS.finditer(value):
            yield from (part for secret in found.groups()[1:] if secret for part in (secret, unquote(secret)))
        if name in more or (_SECRET.search(name) and name not in _NONE):
            yield _in_file(value) or ("" if value == LAB else value)


def _in_file(value: str) -> str:
    """Return the content of the file that a variable names (GitLab passes secrets as files); empty if it names none."""
    if not value.startswith(("/", "./", "~")) or "\n" in value or len(value) > 4096:
        return ""
    try:
        return read_text(Path(value).expanduser())
    except (BadFile, RuntimeError):
        return ""


def _forms(secrets: Iterable[str]) -> set[str]:
    forms: set[str] = set()
    for secret in secrets:
        whole = secret.strip()
        lines = [line.strip() for line in whole.splitlines()]
        parts = {secret, whole, *(line for line in lines if len(line) >= _SHORTEST_LINE)} if len(lines) > 1 else {whole}
        for part in {*parts, whole.replace("\n", "\r\n"), "".join(lines)}:
            forms |= {form for form in _spellings(part) if len(form.strip()) >= _SHORTEST}
    return {form for form in forms if not form.isspace()}


def _spellings(text: str) -> Iterator[str]:
    yield text
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield repr(text)[1:-1]
    yield shlex.quote(text)[1:-1] if "'" in text else text
    yield html.escape(text)
    yield quote(text, safe="")
    yield quote(text)
    yield quote_plus(text)
    yield re.sub("%..", lambda found: found[0].lower(), quote(text, safe=""))
    raw = text.encode("utf-8", "surrogateescape")
    if len(raw) >= _SHORTEST_LINE:
        yield raw.hex()
        yield raw.hex().upper()
    yield from _base64(raw)


def _base64(raw: bytes) -> Iterator[str]:
    """Yield the base64 encodings of a text, at any offset in the encoded data."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(raw).decode("ascii")
        yield encode(raw + b"\n").decode("ascii")
        for before in range(3) if len(raw) > _SHORTEST_LINE else ():
            encoded = encode(b"\0" * before + raw).decode("ascii")
            # the first and the last characters also encode neighbouring bytes
            yield encoded[(0, 2, 3)[before] : len(encoded) - (0, 4, 4)[(before + len(raw)) % 3 and 1]].rstrip("=")
