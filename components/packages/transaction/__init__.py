"""The package transaction in steps, and the records that let it be undone."""
