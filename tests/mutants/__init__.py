"""Changes one line at a time and checks whether a fast test notices: `make mutants`.

Which tests can notice is recorded first: those that run the changed function. Others would take hours to say nothing.
"""
