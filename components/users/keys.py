"""What is told of ~/.ssh/authorized_keys on a host: the user's own word, so that any text may come of it."""

import re
from collections.abc import Mapping

from components.users.keys_shell import MENDINGS, TROUBLES
from components.users.settings import UserFacts, UserInputs
from hosts.system.files import FileState, file_state

_META = re.compile(r"(absent|file [0-7]{1,4} \S+ \S+ \d+ \d+)(\n|$)")

_FOLDER = re.compile(r"link|other|[0-7]{1,4} \S+ \S+")
_TROUBLE = re.compile(r"[a-z-]{1,20}( \d{1,20})?")


def own_folder(sections: Mapping[str, str]) -> str:
    """Return what ~/.ssh is like: `MODE OWNER GROUP`, `link` or `other`; empty where there is none."""
    told = sections["ssh"].strip()
    return told if _FOLDER.fullmatch(told) else ""


def own_trouble(sections: Mapping[str, str]) -> str:
    """Return why the keys were not read, a word of `TROUBLES`; records of earlier versions tell of none."""
    told = sections.get("keys.trouble", "").strip()
    return told if not told or _TROUBLE.fullmatch(told) else "other"


def own_keys(sections: Mapping[str, str]) -> FileState:
    """Return the file as it was read; absent where what was printed of it is not what the program prints."""
    if not _META.match(sections["keys.meta"]):
        return FileState("", False)
    return file_state({"keys.content": "", **sections}, "keys").packed()


def trouble(inputs: UserInputs, seen: UserFacts) -> str:
    """Say why the keys of a user are neither read nor written, and what mends it."""
    word, _, size = seen.keys_trouble.partition(" ")
    folder = f"{seen.home.rstrip('/')}/.ssh"
    names = {"name": inputs.name, "folder": folder, "file": f"{folder}/authorized_keys", "size": size}
    what = TROUBLES.get(word, "{file} is not what sshd takes keys from").format(**names)
    mending = MENDINGS.get(word, "move it away on the host").format(**names)
    return f"{what}; it is neither read nor changed: {mending}, or leave `keys` out for this user"
