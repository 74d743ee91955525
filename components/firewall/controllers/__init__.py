"""Who else filters on a host: found, taken over, given back."""
