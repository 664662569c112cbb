"""Wrong admin tokens: who tries them is held up, the operator is not."""

import httpx

from tests.support.cluster import ADMIN_TOKEN, Cluster

TRIES = 25


def test_wrong_tokens_from_elsewhere_do_not_lock_out_the_operator(cluster: Cluster) -> None:
    elsewhere = httpx.HTTPTransport(local_address="127.0.0.91")
    with httpx.Client(base_url=cluster.url, transport=elsewhere, timeout=30) as stranger:
        # What a client says of itself counts only where a proxy that is trusted says it.
        said = {"X-Forwarded-For": "127.0.0.1"}
        answers = [
            stranger.post("/console/login", data={"token": f"wrong {n}"}, headers=said)
            for n in range(TRIES)
        ]
        assert answers[0].status_code == 401
        assert answers[-1].status_code == 503
        assert answers[-1].headers["Retry-After"] == "60"
        right = stranger.post("/console/login", data={"token": ADMIN_TOKEN})
        assert right.status_code == 503
    login = httpx.post(f"{cluster.url}/console/login", data={"token": ADMIN_TOKEN}, timeout=30)
    assert login.status_code == 303
