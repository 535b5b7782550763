"""Cuts the text into parts of one size, and remembers where the last one ended."""

from collections.abc import Callable
from dataclasses import replace

import memory
from checkpoint import Checkpoint, Point
from wit_world.imports import pacing, parts


class EndOfSlice(Exception):
    """The slice has written its parts, the host asks it to end, or memory is scarce."""


class Output:
    def __init__(self, resumed: Checkpoint, budget: int):
        self.last = resumed
        self.size = resumed.part_size
        self.left = self.budget = budget
        self.buffer = bytearray(resumed.carry)

    def write(self, text: str, point: Callable[[], Point]) -> None:
        """Appends text. `point` says where the export is after it, and is asked only if a part ends."""
        self.buffer += text.encode()
        if len(self.buffer) >= self.size:
            self.cut(point())

    def cut(self, point: Point) -> None:
        """Writes the parts that are full, and ends the slice if they were the last it may write."""
        while len(self.buffer) >= self.size:
            # Slices of the buffer itself would be copied once more, and memory is scarce.
            with memoryview(self.buffer) as whole:
                part, rest = bytes(whole[: self.size]), bytearray(whole[self.size :])
            self.put(part, rest)
            # All text up to the point is in parts or in the carry.
            self.last = replace(self.last, point=point, carry=bytes(self.buffer))
            if self.left == 0 or memory.is_full():
                raise EndOfSlice

    def put(self, part: bytes, rest: bytearray) -> None:
        # Before the call, which copies the part again.
        self.buffer = rest
        parts.write(self.last.parts + 1, part)
        self.last = replace(self.last, parts=self.last.parts + 1)
        self.left -= 1

    def pause(self) -> None:
        """Between two batches: ends the slice if the host wants it, but not before it has written a part."""
        if self.left < self.budget and (pacing.should_yield() or memory.is_full()):
            raise EndOfSlice

    def finish(self) -> int:
        """Writes the last part, which may be shorter; the length of the whole object."""
        written = self.last.parts * self.size + len(self.buffer)
        if self.buffer:
            self.put(bytes(self.buffer), bytearray())
        return written
