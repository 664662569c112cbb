"""The settings of what one tenant may have of what all share; part of `SETTINGS`."""

from typing import Final

from genro_wopi.runtime.setting import Service, Setting
from genro_wopi.runtime.setting_values import number

SHARES: Final = (
    Setting(
        name="api_rate_per_second",
        parse=number(0, 1_000_000),
        kind="number",
        help="Requests of a tenant to the API per second and gateway, with bursts; 0: any.",
        example="100",
        default="100",
        services=frozenset({Service.GATEWAY}),
    ),
    Setting(
        name="activity_bytes_per_minute",
        parse=number(0, 2**40),
        kind="bytes",
        help="Events that AddActivities may write per minute and tenant; 0: any.",
        example="4194304",
        default="4194304",
        services=frozenset({Service.WOPI}),
    ),
    Setting(
        name="sessions_per_minute",
        parse=number(0, 1_000_000),
        kind="number",
        help="Sessions that are created per minute for a tenant, in the whole cluster; 0: any.",
        example="3000",
        default="3000",
        services=frozenset({Service.SESSION}),
    ),
    Setting(
        name="sessions_max",
        parse=number(0, 10_000_000),
        kind="number",
        help="Sessions of a tenant that are open or ended in the last 70 minutes; 0: any.",
        example="20000",
        default="20000",
        services=frozenset({Service.SESSION, Service.WOPI}),
    ),
)
