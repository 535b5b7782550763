"""Makes `list<u8>` pass between Python and a component in bulk.

wasmtime 50 converts every byte by a call of its own: some 300 kB a second. What is here replaces two methods inside the
library, so it is for the version in requirements.txt. The hosts work without it, only slowly.
"""

import ctypes

from wasmtime import _ffi as ffi
from wasmtime.component import ListType

VALUE = ffi.wasmtime_component_val_t
SIZE = ctypes.sizeof(VALUE)
# Where in a value its byte is.
OFFSET = VALUE.of.offset + type(VALUE().of).u8.offset


def value(byte: int) -> bytes:
    made = VALUE()
    made.kind = ffi.WASMTIME_COMPONENT_U8
    made.of.u8 = byte
    return bytes(made)


VALUES = [value(byte) for byte in range(256)]
convert_to_c, convert_from_c = ListType.convert_to_c, ListType.convert_from_c


def to_c(self, store, val, ptr):
    if not isinstance(val, bytes):
        return convert_to_c(self, store, val, ptr)
    values = b"".join(map(VALUES.__getitem__, val))
    raw = ffi.wasmtime_component_vallist_t()
    ffi.wasmtime_component_vallist_new_uninit(raw, len(val))
    ctypes.memmove(raw.data, values, len(values))
    ptr.contents.kind = ffi.WASMTIME_COMPONENT_LIST
    ptr.contents.of.list = raw


def from_c(self, c):
    if not self._is_bytes():
        return convert_from_c(self, c)
    listed = c.of.list
    values = ctypes.string_at(listed.data, listed.size * SIZE) if listed.size else b""
    ffi.wasmtime_component_vallist_delete(ctypes.byref(listed))
    return values[OFFSET::SIZE]


def install():
    ListType.convert_to_c, ListType.convert_from_c = to_c, from_c
