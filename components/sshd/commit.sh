# Removes the SELinux labels of ports that are no longer declared.
#
# takes: guard ports

# shellcheck disable=SC2013 # words of one line
for port in $(cat "$guard/labelled"); do
    case " $ports " in *" $port "*) ;; *) semanage port -d -t ssh_port_t -p tcp "$port" || : ;; esac
done
