"""What a host was like before Stockade touched it, kept on the host itself.

The state file keeps it too, but a run that is killed before the state is written would take its own half-done work for
the prior state when it is repeated. The record is written once, before the first change, and removed by `delete`.
"""

import re
from dataclasses import replace

from hosts.shell import Script

FOLDER = "/var/lib/stockade/prior"
_MARK = "5d0c6f0e1f5b4c7e9a3b2d8f7c6e5a41"  # stands for the nonce of the run, which differs each time

# A change that goes back to what was recorded just now leaves no record: the next `create` begins anew.
_REMEMBER = f"""\
record={FOLDER}/$record_name
if [ ! -f "$record" ]; then
    mkdir -p {FOLDER}
    chmod 700 {FOLDER}
    ( NONCE={_MARK}; eval "$record_observe" ) >"$record.new"
    [ ! -d /run/stockade ] || printf '%s\\n' "$record" >"/run/stockade/fresh.$record_name"
    mv "$record.new" "$record"
fi
sed "s/^{_MARK} /$NONCE /" "$record"
"""


def remember(title: str, observe: Script) -> Script:
    """Answer what `observe` printed before the first change; on the first run, that is now."""
    values = {**observe.values, "record_name": record_name(title), "record_observe": observe.body}
    return replace(observe, step="remember the prior state", body=_REMEMBER, values=values)


_FORGET = f'rm -f {FOLDER}/"$record_name"\nrmdir {FOLDER} /var/lib/stockade 2>/dev/null || :'


def forget(title: str) -> Script:
    """Drop the record: the prior state is in force again."""
    return Script("forget the prior state", _FORGET, {"record_name": record_name(title)})


def forget_after(restore: Script, title: str) -> Script:
    """Let `restore`, once it has come to its end, drop the record as well."""
    values = {**restore.values, "record_name": record_name(title)}
    return replace(restore, body=f"{restore.body}\n{_FORGET}", values=values)


def record_name(title: str) -> str:
    """Return a file name that no other title has: users `a.b` and `a-b` are two."""
    return re.sub(r"[^a-z0-9 ]", lambda one: f"_{ord(one[0]):x}_", title).replace(" ", "-")
