"""What a person sees of a run, and the event log that programs read."""
