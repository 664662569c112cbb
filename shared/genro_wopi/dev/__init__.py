"""The local cluster: every service as a process of its own, on one machine, to try and test."""
