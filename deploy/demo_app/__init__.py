"""The demo application: what a customer's application does, as its shortest readable example."""
