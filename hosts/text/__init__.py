"""Text that others wrote: read within limits, and made fit to be printed."""
