"""The lines of the format: what a table, a row and each kind of cell look like. README.md says it in words."""

import base64
import codecs

# A component has no files, so everything must be imported while it is built: codecs too, which Python otherwise
# imports when they are first used.
import encodings.utf_16_be
import encodings.utf_16_le
from json.encoder import encode_basestring as string

# The codes of rows.batch.kinds.
INTEGER, REAL, TEXT, BLOB, NULL, LONG_TEXT, LONG_BLOB = range(1, 8)

CODECS = {"UTF8": "utf-8", "UTF16LE": "utf-16-le", "UTF16BE": "utf-16-be"}

END_OF_ROW = "}}\n"


class Table:
    """A table's name and columns, and the text that stands before each of its cells."""

    def __init__(self, name: bytes, columns: list[bytes]):
        self.name, self.columns = name, columns
        begin = '{"table":' + string(name.decode()) + ","
        names = [string(column.decode()) for column in columns]
        self.heading = begin + '"columns":[' + ",".join(names) + "]}\n"
        self.before = [("," if i else begin + '"row":{') + name + ":" for i, name in enumerate(names)]


def end(tables: int, rows: int) -> str:
    """The last line: without it, the file is cut off."""
    return '{"end":{"tables":%d,"rows":%d}}\n' % (tables, rows)


def real(value: float) -> str:
    """The shortest digits that give the same float again; JSON has no infinity."""
    text = repr(value)
    if text == "inf":
        return '{"real":"Infinity"}'
    if text == "-inf":
        return '{"real":"-Infinity"}'
    return text


def text(value: bytes, codec: str) -> str:
    """Text as a string; if it is invalid in its encoding, its bytes."""
    try:
        return string(value.decode(codec))
    except UnicodeDecodeError:
        return BEFORE["invalid"] + base64.b64encode(value).decode() + AFTER["invalid"]


def blob(value: bytes) -> str:
    return BEFORE["blob"] + base64.b64encode(value).decode() + AFTER["blob"]


# A long value is written piece by piece, in one of three forms.
BEFORE = {"text": '"', "invalid": '{"text":"', "blob": '{"blob":"'}
AFTER = {"text": '"', "invalid": '"}', "blob": '"}'}


def long_form(kind: int, pieces, codec: str) -> str:
    """The form of a long value. Only after all of a text is it known whether it is valid."""
    if kind == LONG_BLOB:
        return "blob"
    decoder = codecs.getincrementaldecoder(codec)()
    try:
        for piece in pieces:
            decoder.decode(piece)
        decoder.decode(b"", final=True)
        return "text"
    except UnicodeDecodeError:
        return "invalid"


def piece_of_long(piece: bytes, form: str, codec: str) -> tuple[str, int]:
    """A piece's text, and how many of its bytes that is: a character may be cut in two at its end."""
    if form != "text":
        return base64.b64encode(piece).decode(), len(piece)
    decoder = codecs.getincrementaldecoder(codec)()
    characters = decoder.decode(piece)
    return string(characters)[1:-1], len(piece) - len(decoder.getstate()[0])
