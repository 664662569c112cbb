"""The cookie by which a browser may load again the launch page that it opened.

The page lies in a frame of another site as a rule: the cookie is one of that frame there
(``Partitioned``). Over https it is a ``__Host-`` cookie, which no other host can set; such a one
has no path of its own, so its name is made from the page's code. Over http, where browsers take
neither, it is scoped by its path. Where a browser keeps none the page opens once, and says so the
next time.
"""

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any, Final

from litestar.datastructures import Cookie

PREFIX: Final = "__Host-wopi-open-"
PLAIN_PREFIX: Final = "wopi-open-"
LIFE_S: Final = 7 * 86_400
PAGES_MAX: Final = 30
"""How many pages of one host a browser keeps: it sends all of their cookies with each request."""

_SECRET_LENGTH_MAX: Final = 64


class LaunchCookie:
    """The cookie of one page in one browser."""

    def __init__(self, public_url: str, code: str, cookies: Mapping[str, str]) -> None:
        self._is_secure = public_url.startswith("https://")
        self._code = code
        prefix = PREFIX if self._is_secure else PLAIN_PREFIX
        self._name = prefix + hashlib.sha256(code.encode()).hexdigest()[:12]
        self._others = [n for n in cookies if n.startswith(PREFIX) and n != self._name]
        self.shown = cookies.get(self._name, "")[:_SECRET_LENGTH_MAX]
        """What the browser keeps; empty for nothing."""
        self.given = self.shown or secrets.token_urlsafe(16)
        """What it keeps from now on."""

    def changes(self) -> list[Cookie]:
        """Return this page's cookie, and the ends of those that are too many."""
        if not self._is_secure:
            path = f"/open/{self._code}"
            return [
                Cookie(key=self._name, value=self.given, path=path, max_age=LIFE_S, httponly=True)
            ]
        ended = [_HostCookie(name, "", max_age=0) for name in self._others[:-PAGES_MAX]]
        return [_HostCookie(self._name, self.given, max_age=LIFE_S), *ended]


class _HostCookie(Cookie):
    """A cookie of this host alone, in each site that shows it in a frame."""

    def __init__(self, key: str, value: str, *, max_age: int) -> None:
        super().__init__(
            key=key,
            value=value,
            path="/",
            max_age=max_age,
            secure=True,
            httponly=True,
            samesite="none",
        )

    def to_header(self, **kwargs: Any) -> str:  # noqa: ANN401 - as Cookie has it
        return super().to_header(**kwargs) + "; Partitioned"
