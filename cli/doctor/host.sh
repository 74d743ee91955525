# What the doctor asks a host: which system it is (section system), its clock, and the space for records. Changes nothing.
# uses: hosts/system/distro.sh

begin system
printf '%s\n' "$distro" "$distro_version" "$family"
end
begin clock
date +%s
end
begin space
df -Pk /var/lib | tail -n 1
end
