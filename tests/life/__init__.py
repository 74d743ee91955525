"""The life of a stack: three lab hosts, random steps, and after each run the question from outside whether it is so."""
