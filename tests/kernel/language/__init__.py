"""Compares the rule language with iptables itself: generated rules, its answer to each, and ours."""
