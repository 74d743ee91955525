"""Root file systems of the lab's hosts: the variants, and how each is built."""
