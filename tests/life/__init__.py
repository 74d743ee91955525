"""The life of a stack: three lab hosts, random steps, and after each run a check from outside."""
