# Goes back at once, and waits for it where the host does so already. Prints what is recorded of it; ends with status 80
# where going back failed.
#
# uses: hosts/guard/guards.sh
# takes: run guard_name

guard=$_guards/$guard_name.$run
if [ -f "$guard.done/back" ]; then # a commit that came to nothing, or is still at it
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
