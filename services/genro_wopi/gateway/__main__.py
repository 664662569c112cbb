"""Runs the gateway: ``python -m genro_wopi.gateway``."""

import sys

from genro_wopi.gateway.app import run
from genro_wopi.runtime.lifecycle import run_service
from genro_wopi.runtime.settings import Service

if __name__ == "__main__":
    sys.exit(run_service(Service.GATEWAY, run))
