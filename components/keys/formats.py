"""Public keys in formats other than OpenSSH's, converted to lines of authorized_keys; no I/O.

Source: RFC 4716, "The Secure Shell (SSH) Public Key File Format"; PuTTY's manual, appendix C, "PPK file format".
"""

import base64
import binascii
import re

from components.keys.authorized_keys import KeyLineError, encoded_type

_BLOCK = re.compile(r"^---- BEGIN SSH2 PUBLIC KEY ----[ \t]*\n(.*?)^---- END SSH2 PUBLIC KEY ----[ \t]*$", re.S | re.M)
_HEADER = re.compile(r"([^\s:]{1,64}):[ \t]*(.*)")
_PPK = re.compile(r"PuTTY-User-Key-File-[1-9]: ")


def as_lines(text: str) -> str:
    """Return a text with keys in the format of RFC 4716 (public keys saved by PuTTYgen or printed by ssh-keygen -e) or
    of a .ppk file converted to lines of authorized_keys; any other text unchanged.

    Only the public part of a .ppk file is read. Raises `KeyLineError`.
    """
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    if _PPK.match(plain):
        return _of_putty(plain)
    if "---- BEGIN SSH2 PUBLIC KEY" in plain:
        converted = _BLOCK.sub(lambda block: _of_block(block[1]), plain)
        if "---- BEGIN SSH2" in converted:
            raise KeyLineError("the key in RFC 4716 format is cut off")
        return converted
    if re.search(r"-----BEGIN ([A-Z0-9]+ )?PUBLIC KEY-----", plain):
        raise KeyLineError("this key is in another format; `ssh-keygen -i -m PKCS8 -f FILE` converts it")
    return text


def _of_block(block: str) -> str:
    comment, lines = "", block.replace("\\\n", "").splitlines()  # headers may continue on the next line
    while lines and (header := _HEADER.fullmatch(lines[0])):
        if header[1].lower() == "comment":
            comment = header[2].strip().removeprefix('"').removesuffix('"').replace('\\"', '"')
        lines.pop(0)
    return _line("".join(lines), comment)


def _of_putty(text: str) -> str:
    lines = text.splitlines()
    headers = dict(line.split(": ", 1) for line in lines if re.fullmatch(r"(Comment|Public-Lines): .*", line))
    try:
        first = next(number for number, line in enumerate(lines, 1) if line.startswith("Public-Lines: "))
        blob = "".join(lines[first : first + int(headers["Public-Lines"])])
    except (StopIteration, ValueError):
        raise KeyLineError("the .ppk file is damaged: it contains no public key") from None
    return _line(blob, headers.get("Comment", ""))


def _line(blob: str, comment: str) -> str:
    blob = "".join(blob.split())
    try:
        kind = encoded_type(base64.b64decode(blob, validate=True))
    except (binascii.Error, ValueError):
        raise KeyLineError("the key is damaged") from None
    return f"{kind} {blob} {comment}".rstrip()
