"""Text from other sources: read within limits, and made safe to print."""
