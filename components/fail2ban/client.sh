# Queries to fail2ban's server in the protocol of fail2ban-client(1), without starting the client.
#
# f2b_python   variable: the interpreter that fail2ban runs with
# f2b_ask      stdin, one query per line; prints the replies as lines of JSON, null for a refused one
#
# Overwrites the positional parameters.
#
# Starting the client costs 0.1 s of CPU each time, most of it for loading its modules. Its protocol has not changed
# from 0.8 to 1.1 (csocket.py and asyncserver.py of both): a pickled list of words and `END` over the server's socket,
# and the same back. Each query needs its own connection, because old servers close it afterwards. Replies are plain
# values, or an exception of fail2ban's own class for a refusal. Only root may write to the socket or run the client.
#
# In Python, socket, pickle and json are built on _socket, _pickle and _json; importing the latter takes half the time.
# It also runs with Python 2.6.

set --
if _client=$(command -v fail2ban-client) && read -r _line <"$_client"; then
    # shellcheck disable=SC2086 # words: an interpreter and its options
    case $_line in '#!'*) set -- ${_line#??} ;; esac
fi
case ${1-} in */env) shift ;; esac
case ${1-} in
    *python*) f2b_python=$1 ;;
    *) f2b_python=$(command -v python3 || command -v python) || f2b_python=false ;;
esac
f2b_ask() (
    set --
    for _file in /etc/fail2ban/fail2ban.conf /etc/fail2ban/fail2ban.d/*.conf \
        /etc/fail2ban/fail2ban.local /etc/fail2ban/fail2ban.d/*.local; do
        [ ! -f "$_file" ] || set -- "$@" "$_file"
    done
    cd / && exec "$f2b_python" -E -S -c '
import sys
try:
    from _socket import AF_UNIX, socket
    from _json import encode_basestring_ascii as quoted
except ImportError:
    from socket import AF_UNIX, socket
    from json import dumps as quoted
try: from _pickle import dumps, loads
except ImportError:
    try: from cPickle import dumps, loads
    except ImportError: from pickle import dumps, loads
END = b"<F2B_END_COMMAND>"
def as_json(value):
    if value is None: return "null"
    if isinstance(value, (list, tuple)): return "[" + ", ".join([as_json(item) for item in value]) + "]"
    if isinstance(value, bool): return value and "true" or "false"
    if type(value).__name__ in ("int", "long", "float"): return str(value)
    return quoted(value if type(value).__name__ in ("str", "unicode") else str(value))
path = "/var/run/fail2ban/fail2ban.sock"
for name in sys.argv[1:]:
    try: rows = open(name).read().splitlines()
    except IOError: continue
    for row in rows:
        key, equals, value = row.partition("=")
        if equals and key.strip() == "socket": path = value.strip()
for words in sys.stdin.read().splitlines():
    server = socket(AF_UNIX)
    server.settimeout(30)
    answer = b""
    try:
        server.connect(path)
        server.sendall(dumps(words.split(), 2) + END)
        while not answer.endswith(END):
            part = server.recv(65536)
            if not part: sys.exit(1)
            answer += part
    except (IOError, OSError): sys.exit(1)
    try: failed, value = loads(answer[:-len(END)])
    except (ImportError, ValueError): failed, value = 1, None
    print(as_json(None if failed else value))
' "$@"
)
