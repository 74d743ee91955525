# Rolls back at once; if the host is already doing so, waits for it. Prints the log entry of the rollback. Exits with 80
# if it failed.
#
# uses: hosts/guard/guards.sh
# takes: run guard_name

guard=$_guards/$guard_name.$run
if [ -f "$guard.done/back" ]; then # a commit that failed, or is still running
    exec 9<"$guard.done/back"
    flock -w 60 9
    if [ -d "$guard.done" ]; then mv "$guard.done" "$guard"; fi
    exec 9<&-
fi
rm -rf "$guard.new"
status=0
_go_back "$guard" now || status=80 # NOT_BACK
_no_guards
_last_record
exit "$status"
