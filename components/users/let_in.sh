# Which users sshd accepts at all, whatever their keys: a line for each such setting.
#
# takes: name

(umask 022 && mkdir -p /run/sshd) # required by sshd -T
sshd -T -C "user=$name,host=localhost,addr=127.0.0.1" 2>/dev/null | grep -iE '^(allow|deny)(users|groups) ' || :
