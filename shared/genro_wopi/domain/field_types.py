"""How long what a request says may be; nothing that comes from outside is without an end."""

from typing import Annotated, Final

from msgspec import Meta

from genro_wopi.domain.cursors import CURSOR_SIZE_MAX
from genro_wopi.domain.paths import PATH_SIZE_BYTES_MAX

SHORT_LENGTH_MAX: Final = 200
ADDRESS_LENGTH_MAX: Final = 4000

PEM_LENGTH_MAX: Final = 100_000
"""Certificates of an authority."""

ITEMS_MAX: Final = 200
"""Of a list that a person writes: origins, extensions, events."""

CONFIG_FIELDS_MAX: Final = 100

ShortText = Annotated[str, Meta(max_length=SHORT_LENGTH_MAX)]
"""A name, an id, a moment."""

PathText = Annotated[str, Meta(max_length=PATH_SIZE_BYTES_MAX)]
"""A path in a storage."""

AddressText = Annotated[str, Meta(max_length=ADDRESS_LENGTH_MAX)]
"""An address or its template, a password, a token."""

PemText = Annotated[str, Meta(max_length=PEM_LENGTH_MAX)]
"""Certificates, and whatever else a storage's configuration says."""

LongCursor = Annotated[str, Meta(max_length=CURSOR_SIZE_MAX)]
"""A cursor that says where several lists go on."""
