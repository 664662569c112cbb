"""The nouns of the host (tenant, storage, file, session, lock, event), their rules and their ports.

A port is a `typing.Protocol`; its text is the contract that every adapter keeps. Nothing here
knows a framework or a driver.
"""
