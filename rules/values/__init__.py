"""The values of rule options: read as people write them, stored as the kernel prints them."""
