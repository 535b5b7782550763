"""Where a slice ends and the next one resumes: always at the end of a part."""

import base64
import json
from dataclasses import asdict, dataclass, field

VERSION = 1


@dataclass
class Point:
    """A place in the export; all text before it is complete."""

    table: int = 0  # which table, from 0
    is_open: bool = False  # its heading is written
    after: bytes | None = None  # behind this position in it
    # Inside a long value of the row that follows: its column, how it is written, how many bytes of it are.
    column: int | None = None
    form: str = ""
    offset: int = 0
    rows: int = 0  # rows that are complete, of all tables


@dataclass
class Checkpoint:
    """All that the next slice needs. What is not in here is forgotten: it runs in a new instance."""

    tables: list[str]  # the options
    part_size: int
    schema: str  # a digest of the tables and columns
    parts: int = 0  # parts written
    point: Point = field(default_factory=Point)
    carry: bytes = b""  # text before the point and after the last part

    def encode(self) -> str:
        return json.dumps({"version": VERSION, **asdict(self)}, default=lambda b: base64.b64encode(b).decode())

    @staticmethod
    def decode(text: str) -> "Checkpoint":
        """Raises ValueError, TypeError or KeyError if the text is no checkpoint of this version."""
        fields = json.loads(text)
        if fields.pop("version") != VERSION:
            raise ValueError("it is of another version of this component")
        point = Point(**fields.pop("point"))
        if point.after is not None:
            point.after = base64.b64decode(point.after, validate=True)
        carry = base64.b64decode(fields.pop("carry"), validate=True)
        return Checkpoint(point=point, carry=carry, **fields)
