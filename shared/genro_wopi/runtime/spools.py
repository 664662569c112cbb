"""How services that receive bodies hold them until they are whole."""

from functools import partial

from genro_wopi.adapters.spool import Spool
from genro_wopi.runtime import metrics
from genro_wopi.runtime.settings import Settings


def open_spool(settings: Settings) -> Spool:
    """Build an empty spool in the folder of the settings, which is made where it is missing."""
    settings.spool_dir.mkdir(parents=True, exist_ok=True)
    spool = Spool(
        settings.spool_dir,
        disk_bytes_max=settings.spool_bytes_max,
        observe=metrics.SPOOLED_BYTES.inc,
        refused=partial(metrics.count_over_share, "spool"),
    )
    spool.remove_leftovers()
    return spool
