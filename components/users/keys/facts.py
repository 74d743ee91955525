"""Facts about ~/.ssh/authorized_keys on a host. They come from the user's processes, so they may be any text."""

import re
from collections.abc import Mapping

from components.users.settings import UserFacts, UserInputs
from hosts.scripts import script
from hosts.system.files import FileState, Limit, file_state

FOREIGN_KEYS = 91
"""Exit status: ~/.ssh or the file is in a state that this user could not have created (`TROUBLES`)."""
STUCK = 83
"""Exit status: a process that runs as the user does not finish."""
UNWRITABLE = 87
"""Exit status: a file attribute keeps root and the user from changing it."""
NO_FOLDER = 86
"""Exit status: ~/.ssh does not exist and the user cannot create it."""

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
"""Why such a file cannot be read or written, by the word that program.sh prints."""
MENDINGS = {
    "stopped": "a process of {name} stops it: kill the user's processes (`pkill -KILL -u {name}`)",
    "folder-owner": "check its content, and if it is meant for {name}: `chown -h {name}: {file} {folder}`",
    "owner": "check its content, and if it is meant for {name}: `chown -h {name}: {file}`",
}

_META = re.compile(r"(absent|file [0-7]{1,4} \S+ \S+ \d+ \d+)(\n|$)")

_FOLDER = re.compile(r"link|other|[0-7]{1,4} \S+ \S+")
_TROUBLE = re.compile(r"[a-z-]{1,20}( \d{1,20})?")


def own_folder(sections: Mapping[str, str]) -> str:
    """Return the state of ~/.ssh: `MODE OWNER GROUP`, `link` or `other`; empty if it does not exist."""
    answer = sections["ssh"].strip()
    return answer if _FOLDER.fullmatch(answer) else ""


def own_trouble(sections: Mapping[str, str]) -> str:
    """Return why the keys were not read, a word of `TROUBLES`. Records of earlier versions have none."""
    answer = sections.get("keys.trouble", "").strip()
    return answer if not answer or _TROUBLE.fullmatch(answer) else "other"


def own_keys(sections: Mapping[str, str]) -> FileState:
    """Return the file as read; absent if the output is not in the program's format."""
    if not _META.match(sections["keys.meta"]):
        return FileState("", False)
    return file_state({"keys.content": "", **sections}, "keys").packed()


def keys_program() -> str:
    """Return the program that runs as the user, for scripts that use components/users/keys/keys.sh."""
    return script("components/users/keys/program.sh")


def trouble(inputs: UserInputs, seen: UserFacts) -> str:
    """Return why a user's keys are neither read nor written, and how to fix it."""
    word, _, size = seen.keys_trouble.partition(" ")
    folder = f"{seen.home.rstrip('/')}/.ssh"
    names = {"name": inputs.name, "folder": folder, "file": f"{folder}/authorized_keys", "size": size}
    what = TROUBLES.get(word, "{file} is not what sshd takes keys from").format(**names)
    mending = MENDINGS.get(word, "move it away on the host").format(**names)
    return f"{what}; it is neither read nor changed: {mending}, or leave `keys` out for this user"
