"""The process that tells applications what happened to their documents."""
