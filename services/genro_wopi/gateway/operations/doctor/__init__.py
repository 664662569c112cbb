"""The doctor: one module for each part of the installation, one line for each check."""
