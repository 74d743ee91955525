# Makes the settings survive a reboot.
#
# uses: hosts/system/files.sh
# takes: dropin guard

content=$(cat "$guard/content" && echo .)
write_file "$dropin" 644 root root "${content%.}"
