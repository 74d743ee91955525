"""The host's package manager: one set of shell functions, for apt, dnf, yum, pacman and zypper."""
