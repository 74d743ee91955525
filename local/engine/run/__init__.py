"""One run: the program's registrations made steps, carried out in their order."""
