"""Files in places that a user can write to are read and changed as that user, never by root.

If root names a path in such a directory, to chmod, chown, copy, move or read it, it acts on whatever the user has put
there by then. As the user, it can do no more than the user could do anyway.

The output of a process that runs as the user cannot be trusted, because the user can stop it or write to its open
files. So the output goes to a file, not to a pipe that may never end, and is parsed as bounded data.
"""

ENDED = 137
"""Exit status of a process that ran as the user, did not finish, and was killed."""
