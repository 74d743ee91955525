# boot_back    drops what the next boot would have checked if the change had been kept
# uses: components/firewall/boot/places.sh

boot_back() {
    if [ -d "$boots" ]; then
        drop_unfinished
        alone no_look_at_boot
    fi
}
