"""PutUserInfo, GetShareUrl and AddActivities: what an editor tells or asks about people.

Spec: https://learn.microsoft.com/microsoft-365/cloud-storage-partner-program/rest/files/putuserinfo
"""

from enum import StrEnum
from typing import Final

import msgspec

from genro_wopi.domain.budgets import Budget
from genro_wopi.domain.errors import (
    InvalidRequestError,
    NotFoundError,
    UnsupportedOperationError,
)
from genro_wopi.domain.events import EventName
from genro_wopi.domain.foreign_json import decode_json
from genro_wopi.domain.sessions import Purpose
from genro_wopi.wopi_service.operations.admission import EditorRequest, admit
from genro_wopi.wopi_service.operations.check_file_info import share_urls
from genro_wopi.wopi_service.operations.host import Host

USER_INFO_LENGTH_MAX: Final = 1024
ACTIVITIES_MAX: Final = 100
EVENT_BYTES: Final = 1024
"""What an event takes besides what the editor says: whose it is, where, and that it was told."""

ACTIVITY_TYPES: Final = frozenset({"WopiComment", "WopiPersonMention"})

ACCEPTED: Final = 0
NOT_SUPPORTED: Final = 3


class ShareUrlType(StrEnum):
    """Values of X-WOPI-UrlType."""

    READ_ONLY = "ReadOnly"
    READ_WRITE = "ReadWrite"


class Activity(msgspec.Struct, frozen=True, rename="pascal"):
    """Something that a person did in a document."""

    type: str
    id: str
    timestamp: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")


class Activities(msgspec.Struct, frozen=True, rename="pascal"):
    """The body of AddActivities."""

    activities: list[Activity]


async def put_user_info(host: Host, request: EditorRequest, body: bytes) -> None:
    """Keep what the editor wants to know about this person the next time.

    Raises:
        InvalidRequestError: it is longer than 1,024 characters, or not ASCII.
        UnsupportedOperationError: the person is anonymous.
    """
    admission = await admit(host, request, Purpose.CHECK)
    if admission.session.options.is_anonymous:
        raise UnsupportedOperationError("Nothing is kept for anonymous people.")
    if len(body) > USER_INFO_LENGTH_MAX or not body.isascii():
        raise InvalidRequestError("UserInfo is at most 1,024 ASCII characters.")
    await host.sessions.put_user_info(admission.session, body.decode("ascii"))


async def get_share_url(host: Host, request: EditorRequest, url_type: str) -> str:
    """Return an address that the person may give to others.

    Raises:
        UnsupportedOperationError: the type is unknown, or the tenant has no address for it.
    """
    admission = await admit(host, request, Purpose.CHECK)
    tenant = await host.directory.tenant(admission.session.tenant_id)
    url = share_urls(tenant, admission).get(url_type)
    if url is None or url_type not in set(ShareUrlType):
        raise UnsupportedOperationError(f"There is no share address of type {url_type!r}.")
    return url


async def add_activities(
    host: Host, request: EditorRequest, body: bytes
) -> list[dict[str, object]]:
    """Announce what people did; returns one answer for each.

    Raises:
        InvalidRequestError: the body is not a list of activities.
        UnauthenticatedError: the session has ended.
        RateLimitedError: the tenant told of so much in this minute; nothing was announced.
    """
    admission = await admit(host, request, Purpose.CHECK)
    if admission.file.is_deleted:
        raise NotFoundError("There is no such file.")
    try:
        activities = decode_json(body, Activities).activities
    except msgspec.DecodeError as error:
        raise InvalidRequestError(f"The body is not a list of activities: {error}.") from error
    if len(activities) > ACTIVITIES_MAX:
        raise InvalidRequestError(f"Send at most {ACTIVITIES_MAX} activities at once.")
    written = sum(_event_bytes(a) for a in activities if a.type in ACTIVITY_TYPES)
    await host.budgets.spend(admission.session.tenant_id, Budget.ACTIVITIES, written)
    answers: list[dict[str, object]] = []
    for activity in activities:
        if activity.type not in ACTIVITY_TYPES:
            answers.append(
                {
                    "Id": activity.id,
                    "Status": NOT_SUPPORTED,
                    "Message": f"{activity.type} is not supported.",
                }
            )
            continue
        details = ("activity_type", activity.type, "activity_id", activity.id)
        data = ("activity_at", activity.timestamp, "activity_data", bytes(activity.data).decode())
        await host.sessions.announce(
            admission.session,
            EventName.DOCUMENT_ACTIVITY,
            f"activity:{activity.id}",
            (*details, *data),
        )
        answers.append({"Id": activity.id, "Status": ACCEPTED})
    return answers


def _event_bytes(activity: Activity) -> int:
    """Return about how many bytes are written for an activity; its id is remembered, too."""
    told = (activity.id, activity.id, activity.type, activity.timestamp)
    return EVENT_BYTES + len(bytes(activity.data)) + sum(len(text.encode()) for text in told)
