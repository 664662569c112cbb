"""The commit under every order of events: the real code and scripts, one step at a time."""
