"""What the gateway forwards: connections to replicas, who waits for them, and bodies."""
