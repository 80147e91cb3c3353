"""Delimited text as records of raw fields, from which the file can be written back unchanged."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from ..errors import DataError

SEPARATORS = (";", "\t", "|", ",")
"""Signs between fields. Of several that fit equally well the first is taken, so that with
semicolons a comma is part of a number."""

SAMPLE_RECORDS = 100
"""Number of records that decide on the separator."""

BYTE_ORDER_MARK = "\ufeff"
LINE = re.compile(r"([^\"\r\n]*)(\r\n|\n|\r|\Z)")


@dataclass(frozen=True)
class Record:
    """One record of a file.

    Attributes:
        fields: raw texts between the separators, with their quotes and blanks.
        end: the line end, or "" at the end of the file.
        line: number of its first line, from 1 on.
    """

    fields: list[str]
    end: str
    line: int

    @property
    def is_blank(self) -> bool:
        """True for a line without any text."""
        return len(self.fields) == 1 and not self.fields[0].strip()


@dataclass(frozen=True)
class Delimited:
    """A file of delimited text.

    Attributes:
        records: all records, blank lines included.
        separator: the sign between fields.
        mark: the byte order mark, or "".
    """

    records: list[Record]
    separator: str
    mark: str

    def to_bytes(self) -> bytes:
        """Return the content of the file: as it was read, except for fields that were replaced."""
        lines = (self.separator.join(record.fields) + record.end for record in self.records)
        return (self.mark + "".join(lines)).encode("utf-8", "surrogateescape")


def parse(content: bytes, name: str) -> Delimited:
    """Split the content of a file into records.

    Bytes that are no UTF-8 are kept as they are.

    Raises:
        DataError: if the content is not text.
    """
    text = content.decode("utf-8", "surrogateescape")
    if "\0" in text:
        raise DataError(
            f"{name!r} must be text or Parquet, but holds null bytes. Save it as CSV in UTF-8."
        )
    mark = BYTE_ORDER_MARK if text.startswith(BYTE_ORDER_MARK) else ""
    text = text.removeprefix(mark)
    separator = find_separator(text)
    return Delimited(list(_records(text, separator)), separator, mark)


def find_separator(text: str) -> str:
    """Return the separator by which most records have as many fields as the first."""

    def agreement(separator: str) -> int:
        sample = islice(_records(text, separator), SAMPLE_RECORDS)
        counts = [len(record.fields) for record in sample if not record.is_blank]
        return counts.count(counts[0]) if counts and counts[0] > 1 else 0

    best = max(SEPARATORS, key=agreement)
    return best if agreement(best) else ","


def unquote(field: str) -> str:
    """Return the text of a raw field, without the blanks and quotes around it."""
    text = field.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1].replace('""', '"').strip()
    return text


def quote_like(field: str, text: str, separator: str) -> str:
    """Return `text` as a raw field with quotes if `field` has them, or if it needs them."""
    is_plain = not text.startswith('"') and not any(
        sign in text for sign in (separator, "\r", "\n")
    )
    if field.strip().startswith('"') or not is_plain:
        return '"' + text.replace('"', '""') + '"'
    return text


def _records(text: str, separator: str) -> Iterator[Record]:
    sign = re.escape(separator)
    # A quote opens a field only at its start; one that is never closed is text.
    field = re.compile(
        rf'( *"[^"]*(?:""[^"]*)*"[^{sign}\r\n]*|[^{sign}\r\n]*)({sign}|\r\n|\n|\r|\Z)'
    )
    position, line = 0, 1
    while position < len(text):
        start = position
        if plain := LINE.match(text, position):
            fields, end, position = plain[1].split(separator), plain[2], plain.end()
        else:
            fields, end = [], separator
            while end == separator:
                if (part := field.match(text, position)) is None:  # it matches any text
                    break
                fields.append(part[1])
                end, position = part[2], part.end()
        yield Record(fields, end, line)
        line += 1 if plain else len(re.findall(r"\r\n|\n|\r", text[start:position]))
