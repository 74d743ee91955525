"""The host's package manager: one interface of shell functions for apt, dnf, yum, pacman and zypper."""
