"""What ends the local cluster."""


class DevError(Exception):
    """The cluster cannot start; the message says why and what to do, in one sentence."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        """2 where a setting or a file of settings is wrong, else 1."""
