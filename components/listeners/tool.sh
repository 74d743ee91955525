# Ends the script with the section `tool` if the host has neither ss nor netstat.

if ! command -v ss >/dev/null && ! command -v netstat >/dev/null; then
    section tool echo none
    exit 0
fi
