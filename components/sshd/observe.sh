# sshd's settings for root and for the admin, unfiltered: selecting the declared ones here would take ten processes.
#
# uses: components/sshd/daemon.sh hosts/system/files.sh

print_answer() { printf '%s\n' "$answer"; }

find_sshd
read_by_daemon
small "$main" "$dropin" "$aside"
section version printf '%s\n' "$version"
begin wanted # nothing if they are refused; `apply` says why
(
    wanted
    print_answer
) 2>/dev/null || :
end
ask "$main" root
section root print_answer
of_root=$answer
ask "$main" "$admin"
[ "$answer" = "$of_root" ] || section admin print_answer
[ -z "$listener" ] || section listener systemctl show -p Listen "$listener"
begin ours
if [ -f "$dropin" ]; then cat "$dropin"; fi
if [ -f "$aside" ]; then cat "$aside"; fi
sed -n '/^# >>> Stockade/,/^# <<< Stockade/p' "$main"
end
