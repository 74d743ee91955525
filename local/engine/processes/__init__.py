"""The processes of a run: the program, providers and policy packs, and how they are started or forked."""
