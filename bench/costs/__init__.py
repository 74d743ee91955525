"""What a run costs: read from the hosts, shown beside the raw script, and held against goals."""
