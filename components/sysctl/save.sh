# Saves what a rollback of the settings needs, and our file's content for commit.sh. Runs when apply.sh or restore.sh
# arms the guard.
#
# takes: content guard present

printf '%s' "$present" >"$guard/present"
printf '%s' "$content" >"$guard/content"
