# Saves the files that a change of sshd's settings replaces, for go_back.sh. Runs when apply.sh arms the guard.
#
# takes: guard labelled listener stage unlabelled

while read -r file; do
    if [ -f "$file" ]; then cp -p "$file" "$guard/old$(echo "$file" | tr / %)"; fi
done <"$stage/all"
cp "$stage/all" "$guard/files"
printf '%s\n' "$listener" >"$guard/listener"
printf '%s\n' "$labelled" >"$guard/labelled"
printf '%s\n' "$unlabelled" >"$guard/unlabelled"
