"""Changes that roll back by themselves unless a new login confirms them, and the record of the prior state."""
