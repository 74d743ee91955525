"""The processes of a run: the program, providers and policy packs, started and forked."""
