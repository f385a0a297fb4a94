"""Gray JPEGs of 64 x 64, many at once: the scans of files with one header are one tall image to a decoder."""

from collections.abc import Sequence

import cv2
import numpy as np

from reid.loading.guides.source import SIDE
from reid.loading.transforms import Pixels

START, END = b"\xff\xd8", b"\xff\xd9"  # of a JPEG
BASELINE, SCAN = 0xC0, 0xDA  # markers of a frame and a scan
PLAIN = {BASELINE, SCAN, 0xC4, 0xDB, 0xFE, *range(0xE0, 0xF0)}  # and tables, comments, applications' own
FRAME = b"\x08" + SIDE.to_bytes(2) * 2 + b"\x01"  # 8 bits a pixel, height, width, one component
BLOCKS = SIDE * SIDE // 64  # of 8 x 8 pixels
INTERVAL = b"\xff\xdd\x00\x04" + BLOCKS.to_bytes(2)  # a restart marker behind so many blocks
RESTARTS = [bytes([0xFF, 0xD0 + number]) for number in range(8)]


def decode_together(contents: Sequence[bytes]) -> Pixels | None:
    """The bytes of n files -> (n, 64, 64), each as OpenCV decodes it by itself; None if they are too unlike.

    A third faster than one by one where the files were written alike: their scans begin afresh, which is what
    restart markers say (ITU T.81, section E.1.4), so n scans under one header are an image of height 64 n.
    """
    joined = join(contents)
    tall = None if joined is None else cv2.imdecode(np.frombuffer(joined, np.uint8), cv2.IMREAD_GRAYSCALE)
    if tall is None or tall.shape != (len(contents) * SIDE, SIDE):
        return None
    return tall.reshape(-1, SIDE, SIDE)  # type: ignore[return-value]


def decode_plane(content: bytes) -> Pixels:
    """The bytes of a file -> (64, 64), resized bilinearly. Raises ``ValueError`` saying what is wrong."""
    if not content:
        raise ValueError("is empty")
    if content.startswith(START) and END not in content[-64:]:  # OpenCV would paint the rest gray
        raise ValueError(f"breaks off after {len(content):,} bytes")
    plane = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    if plane is None:
        raise ValueError("is no image that OpenCV can decode")
    if plane.shape != (SIDE, SIDE):
        plane = cv2.resize(plane, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return plane  # type: ignore[return-value]


def join(contents: Sequence[bytes]) -> bytes | None:
    """One JPEG of n files; None if they differ in more than their scans, or are anything but plain."""
    places = find_scan(contents[0])
    if places is None:
        return None
    frame, scan, data = places
    header = contents[0][:data]
    if not all(content.startswith(header) and content.endswith(END) for content in contents):
        return None
    tall = (len(contents) * SIDE).to_bytes(2)
    pieces = [header[: frame + 5], tall, header[frame + 7 : scan], INTERVAL, header[scan:]]
    for number, content in enumerate(contents):
        pieces += content[data:-2], RESTARTS[number % 8]
    pieces[-1] = END
    joined = b"".join(pieces)
    markers = joined.count(b"\xff", len(header)) - joined.count(b"\xff\x00", len(header))
    return joined if markers == len(contents) else None  # else a scan is damaged: not to hurt the others


def find_scan(content: bytes) -> tuple[int, int, int] | None:
    """Where frame, scan and the scan's data begin in a baseline JPEG of one plane; None if it is no such."""
    frame, place = None, 2
    while content[place : place + 1] == b"\xff" and len(content) > place + 4:
        marker, length = content[place + 1], int.from_bytes(content[place + 2 : place + 4])
        if marker not in PLAIN:
            return None
        if marker == BASELINE:
            if content[place + 4 : place + 10] != FRAME:
                return None
            frame = place
        if marker == SCAN:
            return None if frame is None else (frame, place, place + 2 + length)
        place += 2 + length
    return None
