# right    prints the right that `sudo -l` shows for the user NAME: password, nopasswd or none, parsed as by
#          `effective_sudo` of components/users/settings.py
#
# takes: name

right() {
    sudo -n -l -U "$name" 2>/dev/null | awk '
        /^[ \t]+\((ALL|root)([^A-Za-z0-9_][^)]*)?\)/ {
            sub(/^[^)]*\)[ \t]+/, "")
            free = 0
            count = split($0, command, /, +/)
            for (i = 1; i <= count; i++) {
                while (match(command[i], /^[A-Z_]+: */)) {
                    if (command[i] ~ /^(NO)?PASSWD:/) free = command[i] ~ /^NO/
                    command[i] = substr(command[i], RLENGTH + 1)
                }
                if (command[i] == "ALL") said = free ? "nopasswd" : "password"
                if (command[i] ~ /^! ?ALL$/) said = "none"
            }
        }
        END { print said == "" ? "none" : said }'
}
