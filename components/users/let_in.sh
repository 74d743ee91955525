# Whom sshd lets in at all, whatever keys they have: a line for each setting that says so.
#
# takes: name

(umask 022 && mkdir -p /run/sshd) # sshd -T asks for it
sshd -T -C "user=$name,host=localhost,addr=127.0.0.1" 2>/dev/null | grep -E '^(allow|deny)(users|groups) ' || :
