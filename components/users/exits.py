"""Exit statuses of the scripts in `components/users/` and their meanings."""

from components.users.keys.facts import FOREIGN_KEYS, NO_FOLDER, STUCK, UNWRITABLE
from hosts.system.files import FILE_EXITS

NO_PLACE = 82
NO_HOME = 84
HOME_OPEN = 85
SYSTEM = 88
SUDO_ELSEWHERE = 89
FOREIGN = 90
NO_TOOL = 92
NO_SHELL = 93
NO_GROUP = 94
BAD_SUDOERS = 95
HOME_TAKEN = 96
KEYS_ELSEWHERE = 97
OWN_LOGIN = 98
BUSY = 99

EXITS = {
    **FILE_EXITS,
    NO_PLACE: "the path of the home directory has something in it that is not a directory; nothing was changed. "
    "Declare another `home`, or remove it on the host",
    STUCK: "the script that changes ~/.ssh/authorized_keys as the user does not finish, because a process of the user "
    "stops it: kill the user's processes (`pkill -KILL -u NAME`), then run this again",
    NO_HOME: "the account has no home directory in /etc/passwd; declare one with `home`",
    HOME_OPEN: "not only root can write to the parent directory of the home, so somebody could replace it meanwhile; "
    "nothing was changed. Declare another `home`, or let only root write to that directory",
    NO_FOLDER: "~/.ssh cannot be created, because the user does not own the home directory: create ~/.ssh with the "
    "user as its owner",
    UNWRITABLE: "a file that must be changed cannot be written; nothing was changed",
    SYSTEM: "this is a system account, not a person's; nothing was changed. Declare another name",
    SUDO_ELSEWHERE: "another sudoers rule would override the declared one; nothing was changed. Remove that rule, or "
    "move it into a file that is read before `zz-stockade-*`",
    FOREIGN: "the account is not in /etc/passwd but in a directory service (LDAP, SSSD); manage it there",
    FOREIGN_KEYS: "~/.ssh or authorized_keys is a symbolic link, not a regular file, or owned by somebody else; it is "
    "left as it is",
    NO_TOOL: "a program is missing on the host (sudo, or one of the package passwd)",
    NO_SHELL: "the declared shell does not exist on the host",
    NO_GROUP: "a declared group does not exist on the host",
    BAD_SUDOERS: "visudo rejects the sudoers rule; it was not put into force",
    HOME_TAKEN: "the home directory exists and belongs to another user; declare another one with `home`",
    KEYS_ELSEWHERE: "sshd does not read this user's keys from ~/.ssh/authorized_keys (see AuthorizedKeysFile)",
    OWN_LOGIN: "this run is logged in as the user that it must delete; give the host a `bootstrap` login",
    BUSY: "the user's processes could not be stopped",
}
