"""One run: turns the program's registrations into steps and carries them out in order."""
