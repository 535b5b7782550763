"""What the host hands over. Its memory is freed only when the call ends, so a slice must end before it has all 64 MiB: after
so many bytes, once it has written a part."""

MOST = 8 * 1024 * 1024

# The longest text that can be read twice within one slice: first to see whether it is valid, then to write it.
LONGEST_TEXT = MOST

received = 0


def receive(size: int) -> None:
    global received
    received += size


def is_full() -> bool:
    return received > MOST
