"""What is told of ~/.ssh/authorized_keys on a host: the user's own word, so that any text may come of it."""

import re
from collections.abc import Mapping

from components.users.settings import UserFacts, UserInputs
from hosts.scripts import script
from hosts.system.files import FileState, Limit, file_state

FOREIGN_KEYS = 91
"""Exit status: ~/.ssh or the file is not what the user itself could have made of it (`TROUBLES`)."""
STUCK = 83
"""Exit status: what runs as the user does not finish."""
UNWRITABLE = 87
"""Exit status: a file attribute keeps root and the user from changing it."""
NO_FOLDER = 86
"""Exit status: ~/.ssh is missing and the user cannot make it."""

TROUBLES = {
    "folder-link": "{folder} is a symbolic link",
    "folder-other": "{folder} is not a folder",
    "folder-owner": "{folder} does not belong to {name}",
    "link": "{file} is a symbolic link",
    "other": "{file} is not a regular file",
    "owner": "{file} does not belong to {name}",
    "large": f"{{file}} has {{size}} bytes; of a key file, at most {Limit.KEYS:d} are read",
    "stopped": "what reads {file} as {name} does not finish",
    "binary": "{file} contains NUL bytes, so it is not a file of keys",
}
"""What keeps such a file from being read or written, by the word that program.sh prints."""
MENDINGS = {
    "stopped": "a process of {name} stops it: kill the user's processes (`pkill -KILL -u {name}`)",
    "folder-owner": "check its content, and if it is meant for {name}: `chown -h {name}: {file} {folder}`",
    "owner": "check its content, and if it is meant for {name}: `chown -h {name}: {file}`",
}

_META = re.compile(r"(absent|file [0-7]{1,4} \S+ \S+ \d+ \d+)(\n|$)")

_FOLDER = re.compile(r"link|other|[0-7]{1,4} \S+ \S+")
_TROUBLE = re.compile(r"[a-z-]{1,20}( \d{1,20})?")


def own_folder(sections: Mapping[str, str]) -> str:
    """Return what ~/.ssh is like: `MODE OWNER GROUP`, `link` or `other`; empty where there is none."""
    answer = sections["ssh"].strip()
    return answer if _FOLDER.fullmatch(answer) else ""


def own_trouble(sections: Mapping[str, str]) -> str:
    """Return why the keys were not read, a word of `TROUBLES`; records of earlier versions tell of none."""
    answer = sections.get("keys.trouble", "").strip()
    return answer if not answer or _TROUBLE.fullmatch(answer) else "other"


def own_keys(sections: Mapping[str, str]) -> FileState:
    """Return the file as it was read; absent where what was printed of it is not what the program prints."""
    if not _META.match(sections["keys.meta"]):
        return FileState("", False)
    return file_state({"keys.content": "", **sections}, "keys").packed()


def keys_program() -> str:
    """Return the program that runs as the user, for scripts that use components/users/keys/keys.sh."""
    return script("components/users/keys/program.sh")


def trouble(inputs: UserInputs, seen: UserFacts) -> str:
    """Say why the keys of a user are neither read nor written, and what mends it."""
    word, _, size = seen.keys_trouble.partition(" ")
    folder = f"{seen.home.rstrip('/')}/.ssh"
    names = {"name": inputs.name, "folder": folder, "file": f"{folder}/authorized_keys", "size": size}
    what = TROUBLES.get(word, "{file} is not what sshd takes keys from").format(**names)
    mending = MENDINGS.get(word, "move it away on the host").format(**names)
    return f"{what}; it is neither read nor changed: {mending}, or leave `keys` out for this user"
