"""Where the command begins."""

import signal


def main() -> None:
    """Run the command line; Ctrl-C while its modules are imported ends it without a traceback."""
    is_default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_default:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from genro_wopi.cli.main import main as run  # noqa: PLC0415 - it takes a second

    if is_default:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
