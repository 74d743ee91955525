"""What lies where a user can write is the user's: it is read and changed as that user, never by root.

Root that names a path in such a folder, to chmod, chown, copy, move or read it, does so to whatever the user has put
there by then. As the user nothing can come of it but what the user could do anyway.

What is printed as the user is the user's word, as it may do anything to its own processes: stop them, or keep open what
they have open. So it is written to a file, where nobody waits for an end that never comes, and read as bounded data.
"""

ENDED = 137
"""Status of what did not come to its end as the user, and was ended."""
