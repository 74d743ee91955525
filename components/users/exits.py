"""How the scripts of `components/users/` end where they refuse or fail, and what each status stands for."""

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
    NO_PLACE: "something that is not a folder is in the place of the home directory, or above it; nothing was changed. "
    "Name another `home`, or remove it on the host",
    STUCK: "what changes ~/.ssh/authorized_keys as the user does not come to its end, since something of the user's "
    "stops it: end what runs there (`pkill -KILL -u NAME`), then run this again",
    NO_HOME: "the account has no home directory in /etc/passwd; name one with `home`",
    HOME_OPEN: "others than root can write to the folder that the home would be in, so anything could be put in its "
    "place meanwhile; nothing was changed. Name another `home`, or make that folder root's alone",
    NO_FOLDER: "~/.ssh cannot be made, since the home is not the user's own: make it, with the user as its owner",
    UNWRITABLE: "a file that would have to be written cannot be; nothing was changed",
    SYSTEM: "this is an account of the system and no person's; nothing was changed. Declare another name",
    SUDO_ELSEWHERE: "sudo would not be as declared, because another rule of sudoers decides; nothing was changed. "
    "Remove it, or make it one that is read before the files `zz-stockade-*`",
    FOREIGN: "the account is not in /etc/passwd but in a directory service (LDAP, SSSD); manage it there",
    FOREIGN_KEYS: "~/.ssh or authorized_keys is a symbolic link, no ordinary file, or someone else's; it is left alone",
    NO_TOOL: "a program is missing on the host (sudo, or what comes with the package passwd)",
    NO_SHELL: "the declared shell is not on the host",
    NO_GROUP: "a declared group is not on the host",
    BAD_SUDOERS: "visudo refuses the sudoers rule; it was not put in force",
    HOME_TAKEN: "the home directory is there already and belongs to another user; name another one with `home`",
    KEYS_ELSEWHERE: "sshd reads this user's keys from another place than ~/.ssh/authorized_keys (AuthorizedKeysFile)",
    OWN_LOGIN: "this run is logged in as the user that it shall delete; give the host a `bootstrap` login",
    BUSY: "the user's processes do not end",
}
