# The sshd of a stage (tests/shell_room.py): -V, -t and -T with OpenSSH's answers for some keywords. /stage/openssh has
# its version.

version=9.2
[ ! -f /stage/openssh ] || read -r version </stage/openssh
given='' file=/etc/ssh/sshd_config user='' mode=
while [ $# -gt 0 ]; do
    case $1 in
        -V)
            echo "OpenSSH_${version}p1 Debian-2, OpenSSL 3.0.15 3 Sep 2024" >&2
            exit
            ;;
        -t | -T) mode=$1 ;;
        -f)
            file=$2
            shift
            ;;
        -C)
            user=${2#user=}
            user=${user%%,*}
            shift
            ;;
        -o*)
            given="$given
${1#-o}"
            ;;
    esac
    shift
done
flat() { # FILE: prints it with included files inlined, each line after its position
    _number=0
    while IFS= read -r _line || [ -n "$_line" ]; do
        _number=$((_number + 1))
        case $_line in
            [Ii]nclude' '*)
                for _glob in ${_line#* }; do
                    case $_glob in /*) ;; *) _glob=/etc/ssh/$_glob ;; esac
                    for _file in $_glob; do
                        [ ! -f "$_file" ] || (flat "$_file")
                    done
                done
                [ "${version%%.*}" -ge 9 ] || printf '%s line %s:%s\n' "$1" "$_number" "$_line"
                ;;
            *) printf '%s line %s:%s\n' "$1" "$_number" "$_line" ;;
        esac
    done <"$1"
}
cat "$file" >/tmp/sshd.$$ # stdin can only be read once
{
    printf '%s\n' "$given" | sed -n 's/^\(..*\)=/options line 1:\1 /p'
    if [ "$file" = /dev/stdin ]; then flat /tmp/sshd.$$ | sed "s,^/tmp/sshd.$$,/dev/stdin,"; else flat "$file"; fi
} | user=$user version=$version mode=$mode awk '
    function fail(why) {
        print place ": " why >"/dev/stderr"
        failed = 1
        exit 255
    }
    BEGIN {
        split("permitrootlogin passwordauthentication kbdinteractiveauthentication maxauthtries loglevel " \
            "kexalgorithms ciphers macs hostkeyalgorithms", names)
        for (i in names) known[names[i]]
        split("port listenaddress allowusers", names)
        for (i in names) cumulative[names[i]]
        split("PermitRootLogin PasswordAuthentication KbdInteractiveAuthentication MaxAuthTries LogLevel " \
            "KexAlgorithms Ciphers MACs HostKeyAlgorithms Port ListenAddress AllowUsers", names)
        for (i in names) shown[tolower(names[i])] = names[i]
        value["permitrootlogin"] = "without-password"; value["passwordauthentication"] = "yes"
        value["kbdinteractiveauthentication"] = "yes"; value["maxauthtries"] = 6; value["loglevel"] = "INFO"
        active = 1
    }
    {
        colon = index($0, ":")
        place = substr($0, 1, colon - 1)
        $0 = substr($0, colon + 1)
        sub(/^[ \t]+/, "")
    }
    /^(#|$)/ { next }
    {
        key = tolower($1)
        if (key == "challengeresponseauthentication") key = "kbdinteractiveauthentication"
        rest = $0
        sub(/^[^ \t]+[ \t]+/, "", rest)
        gsub(/"/, "", rest)
    }
    key == "match" {
        if (tolower(rest) == "all") {
            if (ENVIRON["version"] + 0 < 6.5) fail("Unsupported Match attribute all")
            active = 1
        } else active = tolower($2) == "user" && ($3 == ENVIRON["user"] || $3 == "*")
        next
    }
    key in cumulative {
        if (active) { count[key]++; lines[key, count[key]] = rest }
        next
    }
    !(key in known) { fail("Bad configuration option: " $1) }
    active && !(key in got) { got[key]; value[key] = key == "loglevel" ? toupper(rest) : rest }
    function show(name, text) {
        split(ENVIRON["version"], part, ".")
        print (part[1] > 10 || part[1] == 10 && part[2] >= 6 ? shown[name] : name) " " text
    }
    END {
        if (failed) exit 255
        if (ENVIRON["mode"] != "-T") exit
        if (!count["port"]) { count["port"] = 1; lines["port", 1] = 22 }
        for (i = 1; i <= count["port"]; i++) show("port", lines["port", i])
        if (!count["listenaddress"]) { count["listenaddress"] = 1; lines["listenaddress", 1] = "0.0.0.0" }
        for (i = 1; i <= count["listenaddress"]; i++) {
            address = lines["listenaddress", i]
            if (address ~ /:[0-9]+$/) show("listenaddress", address)
            else for (j = 1; j <= count["port"]; j++) show("listenaddress", address ":" lines["port", j])
        }
        for (name in value) show(name, value[name])
        for (i = 1; i <= count["allowusers"]; i++) show("allowusers", lines["allowusers", i])
    }'
status=$?
rm -f /tmp/sshd.$$
exit "$status"
