"""One crypter for all tests: deriving a key from a passphrase takes half a second."""

from local.engine.state.secrets import Crypter

# made by the Pulumi CLI 3.260.0 with the passphrase "lab"
SALT = "v1:2zxkfe6hZ5Q=:v1:lGdGoK/g3mPreaur:Q0kMlc3rMdSxTl9CcBmJbdquHa48MQ=="
CRYPTER = Crypter(SALT, "lab")
