"""The chapter on the limited user: account, keys, password and sudo."""
