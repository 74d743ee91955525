"""The chapter on SSH key pairs on the operator's machine."""
