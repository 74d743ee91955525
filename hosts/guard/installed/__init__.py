"""What the guard leaves on a host while a change is armed: the program that goes back, and what runs it at boot."""
