"""What each harness is worth: the code is broken on purpose, and it must notice."""
