# The records on a host (hosts/guard/record.py), and which machine it is: sections id, keys, owners, priors and armed
# (changes not confirmed yet).

begin id
cat /etc/machine-id 2>/dev/null || cat /var/lib/dbus/machine-id 2>/dev/null || :
end
begin keys
for file in /etc/ssh/ssh_host_*_key.pub; do [ ! -f "$file" ] || head -c 65536 "$file"; done
end
begin owners
find /var/lib/stockade/owner/ -maxdepth 1 -type f -size -9 2>/dev/null | while IFS= read -r file; do # no record comes near 4 kB
    if [ -f "$file" ] && read -r line <"$file"; then printf '%s %s\n' "${file##*/}" "$line"; fi
done
end
begin priors
ls /var/lib/stockade/prior 2>/dev/null || :
end
begin armed
ls /var/lib/stockade/guard 2>/dev/null || :
end
