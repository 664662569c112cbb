"""Runs the callback-worker: ``python -m genro_wopi.callback_worker``."""

import sys

from genro_wopi.callback_worker.app import run
from genro_wopi.runtime.lifecycle import run_service
from genro_wopi.runtime.settings import Service

if __name__ == "__main__":
    sys.exit(run_service(Service.CALLBACK, run))
