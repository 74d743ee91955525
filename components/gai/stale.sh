# stop_if_stale    ends the script where the file is not as it was when this change was worked out
#
# Exits: 75 the file is another by now (STALE).
#
# takes: path expected_mode expected_content

stop_if_stale() {
    if [ -n "$expected_mode" ]; then
        [ "$(cat "$path" 2>/dev/null && echo .)" = "$(printf '%b' "$expected_content" && echo .)" ] || exit 75
    else
        [ ! -e "$path" ] || exit 75
    fi
}
