# reboot_due      prints `yes` if the running kernel is not the newest installed one or a package asks for a reboot,
#                 otherwise `no`. Only Debian records the latter.

reboot_due() {
    _due=no
    if [ -e /run/reboot-required ]; then _due=yes; fi
    # shellcheck disable=SC2012 # names of kernels
    _newest=$(ls /lib/modules 2>/dev/null | sort -V | tail -n 1)
    if [ -n "$_newest" ] && [ -e "/boot/vmlinuz-$_newest" ] && [ "$_newest" != "$(uname -r)" ]; then _due=yes; fi
    # pacman removes the modules of the running kernel
    if [ -e /etc/arch-release ] && [ -n "$_newest" ] && [ ! -d "/lib/modules/$(uname -r)" ]; then _due=yes; fi
    echo "$_due"
}
