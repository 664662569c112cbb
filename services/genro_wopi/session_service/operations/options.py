"""What an application may ask of a session's editor: checked before anything is written."""

import unicodedata
from typing import Final
from urllib.parse import urlsplit

import msgspec

from genro_wopi.domain.errors import FieldError, InvalidFieldsError
from genro_wopi.domain.sessions import SessionOptions
from genro_wopi.domain.templates import placeholder_problem

WATERMARK_PLACEHOLDERS: Final = frozenset({"user", "date", "file"})

OPTIONS_BYTES_MAX: Final = 16 * 1024
"""They lie in Redis with every session, and travel with every request of its editor."""

TEXT_LENGTH_MAX: Final = 1000

_URLS: Final = ("close_url", "file_sharing_url", "host_edit_url", "host_view_url")


def check_options(options: SessionOptions) -> None:
    """Check everything that the types do not say.

    Raises:
        InvalidFieldsError: with every problem at once.
    """
    problems = dict(_text_problems(options))
    for name, url in _urls(options).items():
        if url is not None and not _is_absolute(url):
            problems[name] = "use an absolute http(s) address"
    origin = options.post_message_origin
    if origin is not None and not _is_origin(origin):
        problems["post_message_origin"] = "use scheme and host alone, as https://app.example.com"
    if options.watermark_text is not None:
        problem = placeholder_problem(options.watermark_text, WATERMARK_PLACEHOLDERS)
        if problem:
            problems["watermark_text"] = problem
    lifetime_s = options.max_lifetime_seconds
    if lifetime_s is not None and lifetime_s < 1:
        problems["max_lifetime_seconds"] = "use at least 1"
    if len(msgspec.json.encode(options)) > OPTIONS_BYTES_MAX:
        problems[""] = f"use at most {OPTIONS_BYTES_MAX} bytes for all of them"
    if problems:
        found = (FieldError(f"options.{name}".rstrip("."), text) for name, text in problems.items())
        raise InvalidFieldsError(tuple(found))


def _text_problems(options: SessionOptions) -> dict[str, str]:
    texts = {name: value for name, value in _fields(options).items() if isinstance(value, str)}
    return {
        name: f"use at most {TEXT_LENGTH_MAX} characters, and no control characters"
        for name, value in texts.items()
        if len(value) > TEXT_LENGTH_MAX or any(unicodedata.category(c) == "Cc" for c in value)
    }


def _fields(options: SessionOptions) -> dict[str, object]:
    crumb = msgspec.structs.asdict(options.breadcrumb)
    nested = {f"breadcrumb.{name}": value for name, value in crumb.items()}
    return {**msgspec.structs.asdict(options), **nested}


def _urls(options: SessionOptions) -> dict[str, str | None]:
    crumb = options.breadcrumb
    urls = {name: getattr(options, name) for name in _URLS}
    urls |= {"breadcrumb.brand_url": crumb.brand_url, "breadcrumb.folder_url": crumb.folder_url}
    for name in ("user_settings", "shared_settings"):
        settings = getattr(options, name)
        urls[f"{name}.uri"] = settings.uri if settings else None
    return urls


def _is_absolute(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _is_origin(url: str) -> bool:
    return _is_absolute(url) and url == "{0.scheme}://{0.netloc}".format(urlsplit(url))
