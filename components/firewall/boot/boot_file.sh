# find_boot_file    sets boot, the file of rules that is loaded at boot, and boot_unit, the service that loads it
# uses: hosts/system/distro.sh
# takes: tool

find_boot_file() {
    known_distro
    case $tool in
        iptables) boot=$boot_v4 boot_unit=$unit_v4 ;;
        *) boot=$boot_v6 boot_unit=$unit_v6 ;;
    esac
}
