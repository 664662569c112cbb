"""WOPI as pure values: headers, operations, locks, proofs, discovery, CheckFileInfo.

Nothing here does I/O, reads a clock or knows a framework. Each module names the section of the
WOPI reference that it implements.
"""
