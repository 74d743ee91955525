"""iptables itself as the judge of the rule language: generated rules, what it says of each, and what we say."""
