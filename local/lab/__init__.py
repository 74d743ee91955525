"""Disposable real hosts on this machine: systemd, sshd, netfilter and apt each. See docs/lab.md."""
