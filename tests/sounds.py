"""Sound files with headers as other programs write them."""


def with_length(flac: bytes, samples: int) -> bytes:
    """Put another number of samples into the header of a FLAC; 0 is what pipes get: unsaid."""
    header = bytearray(flac)
    header[21] = header[21] & 0xF0 | samples >> 32  # the last 36 bits of eight bytes
    header[22:26] = (samples & 0xFFFFFFFF).to_bytes(4, "big")
    return bytes(header)
