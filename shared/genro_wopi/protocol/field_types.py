"""How long what an application decides for its session may be."""

from typing import Annotated, Final

from msgspec import Meta

OPTION_LENGTH_MAX: Final = 16 * 1024
"""All options of a session together have no more bytes."""

OPTION_FIELDS_MAX: Final = 1000

OptionText = Annotated[str, Meta(max_length=OPTION_LENGTH_MAX)]
"""An option of a session."""

OptionFields = Annotated[
    dict[Annotated[str, Meta(max_length=OPTION_LENGTH_MAX)], object],
    Meta(max_length=OPTION_FIELDS_MAX),
]
"""An object that an editor gets as it is."""
