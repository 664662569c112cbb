"""What the HTTP services share: errors, streaming, health, serving."""
