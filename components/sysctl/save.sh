# What a change of settings needs to go back, and the content of our file for commit.sh. It runs where apply.sh or
# restore.sh arms the guard.
#
# takes: content guard present

printf '%s' "$present" >"$guard/present"
printf '%s' "$content" >"$guard/content"
