"""The text of a document: itself for text files, what can be read of it for office files."""

import io
import zipfile
from typing import Final

from defusedxml.ElementTree import fromstring

EDITABLE: Final = ("txt", "md", "csv")
READABLE: Final = {
    "docx": (
        "word/document.xml",
        "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}p",
    ),
    "odt": ("content.xml", "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}p"),
    "xlsx": (
        "xl/sharedStrings.xml",
        "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}si",
    ),
}
"""Of each office format, where its text lies and the element of one paragraph."""

XML_BYTES_MAX: Final = 16 * 1024 * 1024


def is_editable(name: str) -> bool:
    """Tell whether this editor can change the file."""
    return name.rpartition(".")[2].lower() in EDITABLE


def readable_text(name: str, content: bytes) -> str:
    """Return the text to show."""
    extension = name.rpartition(".")[2].lower()
    if extension not in READABLE:
        return content.decode("utf-8", errors="replace")
    member, paragraph = READABLE[extension]
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(member) as file:
            root = fromstring(file.read(XML_BYTES_MAX))
    except (zipfile.BadZipFile, KeyError, SyntaxError):
        return "(This file cannot be read.)"
    return "\n".join("".join(element.itertext()) for element in root.iter(paragraph))
