"""What a guard installs on a host while a change is armed: the rollback program, and what runs it at boot."""
