"""Runs the session-service: ``python -m genro_wopi.session_service``."""

import sys

from genro_wopi.runtime.lifecycle import run_service
from genro_wopi.runtime.settings import Service
from genro_wopi.session_service.app import run

if __name__ == "__main__":
    sys.exit(run_service(Service.SESSION, run))
