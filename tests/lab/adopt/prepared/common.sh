# What the prepared hosts have in common: people, and how their keys get there.
#
# person NAME GROUPS [OPTION...]   an account whose owner logs in with the lab's key
# install PACKAGE...               from the host's own repository

set -eu
export DEBIAN_FRONTEND=noninteractive
person() {
    _name=$1 _groups=$2
    shift 2
    useradd -m -s /bin/bash "$@" "$_name"
    [ -z "$_groups" ] || usermod -aG "$_groups" "$_name"
    _home=$(getent passwd "$_name" | cut -d : -f 6)
    mkdir -m 700 "$_home/.ssh"
    cp /root/.ssh/authorized_keys "$_home/.ssh/authorized_keys"
    chmod 600 "$_home/.ssh/authorized_keys"
    chown -R "$_name" "$_home/.ssh"
}
install() {
    if command -v apt-get >/dev/null; then
        apt-get install -qy --no-install-recommends "$@" </dev/null >/dev/null
    elif command -v pacman >/dev/null; then
        pacman -S --noconfirm "$@" </dev/null >/dev/null
    elif command -v dnf >/dev/null; then
        dnf -q -y install "$@" </dev/null
    else
        yum -q -y install "$@" </dev/null
    fi
}
