"""What callbacks go through, as the settings say: for those who send them and those who try."""

from genro_wopi.adapters.http.egress import EgressPolicy, GuardedNetwork
from genro_wopi.adapters.http.proxy import ProxyTunnel
from genro_wopi.runtime.settings import Settings


def callback_policy(settings: Settings) -> EgressPolicy:
    """Say which addresses callbacks may go to."""
    return EgressPolicy(settings.callback_allow, setting="WOPI_CALLBACK_ALLOW")


def callback_network(settings: Settings) -> GuardedNetwork:
    """Build the way there, through the operator's proxy where there is one."""
    is_proxied = bool(settings.callback_proxy.reveal())
    proxy = ProxyTunnel(settings.callback_proxy) if is_proxied else None
    return GuardedNetwork(callback_policy(settings), proxy=proxy)
