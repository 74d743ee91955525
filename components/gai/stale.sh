# stop_if_stale    ends the script if the file is not as it was when this change was planned
#
# Exits: 75 the file has changed (STALE).
#
# takes: path expected_mode expected_content

stop_if_stale() {
    if [ -n "$expected_mode" ]; then
        [ "$(cat "$path" 2>/dev/null && echo .)" = "$(printf '%b' "$expected_content" && echo .)" ] || exit 75
    else
        [ ! -f "$path" ] || [ -L "$path" ] || exit 75
    fi
}
