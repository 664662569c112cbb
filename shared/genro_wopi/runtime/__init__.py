"""What every process has in common: settings, logs, metrics, start and stop."""
