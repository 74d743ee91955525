"""The chapter on packages: the ones to install and the ones to remove, in one transaction."""
