"""The values that options of a rule take: read as people write them, kept as the kernel prints them."""
