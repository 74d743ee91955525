# Prints whether a reboot is due: `reboot yes` or `reboot no`. It is if the running kernel is not the newest installed
# one. Debian alone records nothing about that.

due=no
if [ -e /run/reboot-required ]; then due=yes; fi
# shellcheck disable=SC2012 # names of kernels
newest=$(ls /lib/modules 2>/dev/null | sort -V | tail -n 1)
if [ -n "$newest" ] && [ -e "/boot/vmlinuz-$newest" ] && [ "$newest" != "$(uname -r)" ]; then due=yes; fi
# pacman removes the modules of the running kernel
if [ -e /etc/arch-release ] && [ -n "$newest" ] && [ ! -d "/lib/modules/$(uname -r)" ]; then due=yes; fi
echo "reboot $due"
