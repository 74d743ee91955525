"""Disposable hosts on this machine, each with a real systemd, sshd, netfilter and apt. See docs/lab.md."""
