"""The chapter on packages: what is wanted and what is not, in one transaction."""
