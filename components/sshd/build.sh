# Builds the new configuration beside the real one: $stage/new has the files under their real paths.
#
# stage_files       copies the existing files, without what Stockade wrote or commented out earlier; sets labelled
# label_ports       sets labels, unlabelled: with SELinux, ports on which sshd may listen only when labelled
# write_ours        writes the declared lines where sshd reads first
# stage_socket      writes where the socket unit listens
#
# Other people's files are changed in only two ways: a block at the head, and commented-out lines. `delete` finds both
# by their marks, whatever else was edited meanwhile.
#
# Exits: 69 semanage is missing, 73 a file in our place belongs to somebody else.
#
# uses: hosts/system/files.sh components/sshd/daemon.sh components/sshd/reload.sh
# takes: head match ports silence first

labels= unlabelled= labelled=
new=$stage/new$main

includes() { # FILE: prints the files that it includes, in order
    sed -n 's/^[[:space:]]*[Ii][Nn][Cc][Ll][Uu][Dd][Ee]["[:space:]=]\{1,\}//p' "$1" | tr -d '"' |
        while read -r names; do
            for file in $names; do
                case $file in /*) ;; *) file=/etc/ssh/$file ;; esac
                [ ! -f "$file" ] || printf '%s\n' "$file"
            done
        done
}
reached() { # FILE DEPTH
    printf '%s\n' "$1"
    [ "$2" -eq 0 ] || includes "$1" | while read -r _file; do reached "$_file" $(($2 - 1)); done
}
stage_files() {
    rm -rf "$stage"
    mkdir -m 700 "$stage"
    trap 'rm -rf "$stage"' EXIT
    for file in "$dropin" "$aside"; do # after the first time, they are ours whatever is in them
        [ -z "$first" ] || [ ! -f "$file" ] || grep -q '^# Written by Stockade' "$file" || fail 73 "$file is not Stockade's; it is left alone"
    done
    labelled=$(cat "$dropin" "$aside" "$main" 2>/dev/null | sed -n 's/^# SELinux ports labelled: //p')
    reached "$main" 4 | awk '!seen[$0]++' | grep -vxF -e "$dropin" -e "$aside" >"$stage/files"
    while read -r file; do
        small "$file"
        mkdir -p "$stage/new${file%/*}"
        sed -e '/^# >>> Stockade/,/^# <<< Stockade/d' -e 's/^#stockade# //' "$file" >"$stage/new$file"
        [ -z "$silence" ] || sed -i -E "\\,$silence,I s/^/#stockade# /" "$stage/new$file"
    done <"$stage/files"
}
place() { # prints the place where our lines precede everything else
    opening=$(grep -Ev '^[[:space:]]*(#|$)' "$new" | head -n 1 | tr -d '"')
    set -f
    # shellcheck disable=SC2086 # words
    set -- $opening
    set +f
    case ${1-} in [Ii][Nn][Cc][Ll][Uu][Dd][Ee])
        pattern=${2-}
        case $pattern in /*) ;; *) pattern=/etc/ssh/$pattern ;; esac
        # shellcheck disable=SC2254,SC2086 # a pattern from sshd_config
        case $dropin in $pattern)
            if [ "$(printf '%s\n' "$dropin" $pattern | sort | head -n 1)" = "$dropin" ]; then
                echo dropin
                return
            fi
            ;;
        esac
        ;;
    esac
    if echo 'Include /dev/null' | sshd -t -f /dev/stdin 2>/dev/null; then echo aside; else echo block; fi
}
for_all() { # OpenSSH before 6.5 lacks `Match all`
    if echo 'Match all' | sshd -t -f /dev/stdin 2>/dev/null; then cat; else sed 's/^Match all$/Match User */'; fi
}
marked() {
    printf '# >>> Stockade\n'
    cat
    printf '# <<< Stockade\n'
}
our_head() {
    printf '%s' "$head"
    [ -z "$labels" ] || printf '# SELinux ports labelled:%s\n' "$labels"
}
our_lines() {
    our_head
    [ -z "$match" ] || printf '# The same for every login, whatever the Match blocks further down say:\n%s' "$match"
}
write_ours() {
    mkdir -p "$stage/new${dropin%/*}"
    case $(place) in
        dropin) our_lines >"$stage/new$dropin" ;;
        aside)
            our_lines >"$stage/new$aside"
            {
                printf 'Include %s\n' "$aside" | marked
                cat "$new"
            } >"$new.next"
            mv "$new.next" "$new"
            ;;
        block) # OpenSSH before 8.2 lacks Include
            first=$(grep -n -i '^[[:space:]]*match[[:space:]=]' "$new" | head -n 1 | cut -d: -f1)
            {
                our_head | marked
                if [ -n "$first" ] && [ -n "$match" ]; then
                    head -n "$((first - 1))" "$new"
                    printf '%s' "$match" | for_all | marked
                    tail -n "+$first" "$new"
                else
                    cat "$new"
                fi
            } >"$new.next"
            mv "$new.next" "$new"
            ;;
    esac
}
listen_on() { # ListenStream lines: the current addresses with the declared ports
    printf '# Written by Stockade.\n[Socket]\nListenStream=\n'
    systemctl show -p Listen "$listener" | sed -n 's/^\(Listen=\)*\(.*\) (Stream)$/\2/p' |
        sed 's/:[0-9]*$/:/' | sort -u |
        while read -r address; do
            case $address in
                *:) for port in $ports; do printf 'ListenStream=%s%s\n' "$address" "$port"; done ;;
                *) printf 'ListenStream=%s\n' "$address" ;;
            esac
        done
}
selinux() { command -v selinuxenabled >/dev/null && selinuxenabled; }
label_ports() {
    if [ -z "$ports$labelled" ] || ! selinux; then return 0; fi
    command -v semanage >/dev/null ||
        fail 69 'SELinux is on, and semanage is missing: install policycoreutils-python-utils'
    known=$(semanage port -l | sed -n 's/^ssh_port_t[[:space:]]*tcp[[:space:]]*//p' | tr -d ,)
    for port in $ports; do
        case " $known " in *" $port "*) ;; *) unlabelled="$unlabelled $port" ;; esac
        case " $labelled $unlabelled " in *" $port "*) labels="$labels $port" ;; esac
    done
}
stage_socket() {
    if [ -n "$listener" ] && [ -n "$ports" ]; then
        mkdir -p "$stage/new/etc/systemd/system/$listener.d"
        listen_on >"$stage/new/etc/systemd/system/$listener.d/$socket_dropin"
    fi
}
