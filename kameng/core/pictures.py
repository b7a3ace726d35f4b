"""Pictures of strangers, taken apart and put together anew: pure, bytes in, bytes out.

What somebody uploads may be more than a picture: an archive or a page hidden behind it, a place where it was taken, a
small file that unpacks to gigabytes. So nothing is stored as it came. A PNG (ISO/IEC 15948) is inflated within the size
that its head promises and packed again; of a JPEG (ITU-T T.81) only the segments that a decoder needs are copied, up to
its end, and of a still WebP (RFC 9649) only its frame. Whatever else was in the file is gone: comments, Exif,
thumbnails, color profiles, and all that followed.

An image library would be the larger risk: a decoder for dozens of formats, written in C, in front of files of
strangers. Nothing here decodes a JPEG or a WebP; browsers do, and they are told that it is a picture and nothing else.
"""

import struct
import zlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bytes of an upload, pixels of a side and of the whole picture, and the kinds that are taken."""

    bytes: int
    side: int
    pixels: int
    kinds: frozenset[str]

    @property
    def rows(self) -> int:
        """Bytes of all rows of a PNG, unpacked."""
        return 3 * self.pixels + self.side


#: A page at 450 dots an inch.
PAPER = Bounds(3 * 1024 * 1024, 8_000, 20_000_000, frozenset({"png", "jpeg"}))
MAX_BYTES = PAPER.bytes
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_RIFF, _WEBP = b"RIFF", b"WEBP"
#: Of a PNG's color types: samples a pixel, and depths that there are.
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
#: A JPEG's frames that browsers draw: baseline, extended and progressive, Huffman-coded.
_FRAMES = (0xC0, 0xC1, 0xC2)
_HUFFMAN, _QUANTIZATION, _RESTART = 0xC4, 0xDB, 0xDD
_TABLES = (_HUFFMAN, _QUANTIZATION, _RESTART)
_SCAN, _END, _ADOBE = 0xDA, 0xD9, 0xEE
_MAX_CHUNKS, _MAX_SEGMENTS = 20_000, 2_000


class NotAPicture(ValueError):
    """Not a picture that can be put together anew; the message says what is wrong, in English, for the log."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of ours."""

    kind: str
    width: int
    height: int
    data: bytes


def rebuilt(data: bytes, bounds: Bounds = PAPER) -> Picture:
    """The picture in a file, and nothing else of it. Raises `NotAPicture`."""
    if len(data) > bounds.bytes:
        raise NotAPicture("too many bytes")
    try:
        if data.startswith(_PNG) and "png" in bounds.kinds:
            return _png(data, bounds)
        if data.startswith(_JPEG) and "jpeg" in bounds.kinds:
            return _jpeg(data, bounds)
        if data.startswith(_RIFF) and data[8:12] == _WEBP and "webp" in bounds.kinds:
            return _webp(data, bounds)
    except (struct.error, IndexError, zlib.error) as error:
        raise NotAPicture(f"broken: {type(error).__name__}") from error
    raise NotAPicture("of no kind that is taken")


def _bounded(width: int, height: int, bounds: Bounds) -> None:
    if not (0 < width <= bounds.side and 0 < height <= bounds.side and width * height <= bounds.pixels):
        raise NotAPicture(f"{width} × {height} pixels")


def _png(data: bytes, bounds: Bounds) -> Picture:
    head, palette, alpha, packed = b"", b"", b"", []
    place = len(_PNG)
    for _ in range(_MAX_CHUNKS):
        (length,) = struct.unpack_from(">I", data, place)
        name, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        (check,) = struct.unpack_from(">I", data, place + 8 + length)
        if len(body) != length or zlib.crc32(name + body) != check:
            raise NotAPicture("a chunk is broken")
        if (name == b"IHDR") != (place == len(_PNG)):
            raise NotAPicture("its head is not where it belongs")
        place += 12 + length
        if name == b"IHDR":
            head = body
        elif name == b"PLTE":
            palette = body
        elif name == b"tRNS":
            alpha = body
        elif name == b"IDAT":
            packed.append(body)
        elif name == b"IEND":
            break
        elif not name[0] & 0x20:
            raise NotAPicture("an unknown chunk that is needed")
    else:
        raise NotAPicture("too many chunks")
    width, height, depth, color, method, filters, interlaced = struct.unpack(">IIBBBBB", head)
    _bounded(width, height, bounds)
    if depth not in _DEPTHS.get(color, ()) or method or filters or interlaced > 1:
        raise NotAPicture("its head makes no sense")
    if (color == 3 and not 3 <= len(palette) <= 3 * 256) or len(palette) % 3 or len(alpha) > 256:
        raise NotAPicture("its palette makes no sense")
    raw = _inflated(b"".join(packed), _passes(width, height, depth * _SAMPLES[color], bool(interlaced)), bounds.rows)
    chunks = [(b"IHDR", head)]
    chunks += [(b"PLTE", palette)] if palette and color in (2, 3, 6) else []
    chunks += [(b"tRNS", alpha)] if alpha and color in (0, 2, 3) else []
    chunks += [(b"IDAT", zlib.compress(raw, 6)), (b"IEND", b"")]
    return Picture("png", width, height, _PNG + b"".join(_chunk(name, body) for name, body in chunks))


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


#: Adam7: where each pass begins, and how far its pixels stand apart, across and down.
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def _passes(width: int, height: int, bits: int, interlaced: bool) -> list[tuple[int, int]]:
    """Rows, and bytes of each with the filter's, of every pass over the picture."""
    sizes = [(width, height)]
    if interlaced:
        sizes = [(-(-(width - x) // across), -(-(height - y) // down)) for x, y, across, down in _ADAM7]
    return [(rows, 1 + -(-columns * bits // 8)) for columns, rows in sizes if columns > 0 and rows > 0]


def _inflated(packed: bytes, passes: list[tuple[int, int]], most: int) -> bytes:
    """The rows: exactly as many bytes as the head promises, each row with a filter that there is."""
    size = sum(rows * stride for rows, stride in passes)
    if size > most:
        raise NotAPicture("too much for its rows")
    unpack = zlib.decompressobj()
    raw = unpack.decompress(packed, size + 1)
    if len(raw) != size:
        raise NotAPicture("more or less in it than its head promises")
    place = 0
    for rows, stride in passes:
        if max(raw[place : place + rows * stride : stride]) > 4:
            raise NotAPicture("a row without a filter")
        place += rows * stride
    return raw


def _jpeg(data: bytes, bounds: Bounds) -> Picture:
    kept, place, size, scans = [b"\xff\xd8"], 2, None, 0
    for _ in range(_MAX_SEGMENTS):
        while data[place] == 0xFF and data[place + 1] == 0xFF:  # fill bytes
            place += 1
        if data[place] != 0xFF:
            raise NotAPicture("no marker where one belongs")
        marker = data[place + 1]
        if marker == _END:
            break
        (length,) = struct.unpack_from(">H", data, place + 2)
        segment = data[place : place + 2 + length]
        if length < 2 or len(segment) != 2 + length:
            raise NotAPicture("a segment is cut off")
        place += 2 + length
        if marker in _FRAMES:
            if size is not None:
                raise NotAPicture("two frames")
            precision, height, width, components = struct.unpack_from(">BHHB", segment, 4)
            _bounded(width, height, bounds)
            if precision != 8 or components not in (1, 3, 4) or length != 8 + 3 * components:
                raise NotAPicture("its frame makes no sense")
            size = (width, height)
            kept.append(segment)
        elif marker in _TABLES:
            if not _is_filled(marker, segment[4:]):
                raise NotAPicture("its tables make no sense")
            kept.append(segment)
        elif marker == _ADOBE and segment[4:9] == b"Adobe" and length == 14:
            kept.append(segment)
        elif marker == _SCAN:
            if size is None:
                raise NotAPicture("a scan before its frame")
            end = _end_of_scan(data, place)
            kept += [segment, data[place:end]]
            place, scans = end, scans + 1
        elif not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            raise NotAPicture(f"a marker {marker:#x} that no browser draws")
    else:
        raise NotAPicture("too many segments")
    if size is None or not scans:
        raise NotAPicture("no picture in it")
    return Picture("jpeg", *size, b"".join((*kept, b"\xff\xd9")))


def _is_filled(marker: int, body: bytes) -> bool:
    """Whether a segment holds tables and nothing else (T.81 B.2.4)."""
    if marker == _RESTART:
        return len(body) == 2
    place = 0
    while place < len(body):
        if marker == _QUANTIZATION:
            place += 129 if body[place] >> 4 else 65
        else:
            place += 17 + sum(body[place + 1 : place + 17])
    return place == len(body) > 0


def _end_of_scan(data: bytes, place: int) -> int:
    """Where the next marker is that is not part of the scan itself (T.81 B.1.1.2, restarts)."""
    while True:
        place = data.find(b"\xff", place)
        if place < 0:
            raise NotAPicture("it has no end")
        if data[place + 1] != 0 and not 0xD0 <= data[place + 1] <= 0xD7:
            return place
        place += 2


#: Of a VP8 frame (RFC 6386 §9.1): a key frame's start code. Of a VP8L one (RFC 9649 §3.3): its first byte.
_KEY_FRAME, _LOSSLESS = b"\x9d\x01\x2a", 0x2F
#: What an extended WebP says of itself (RFC 9649 §2.7): nothing but that it is translucent, or not.
_TRANSLUCENT = 0x10
_MAX_WEBP_CHUNKS = 64


def _webp(data: bytes, bounds: Bounds) -> Picture:
    """A still one: its frame, and where that is lossy, how translucent it is."""
    frame, alpha, place = (b"", b""), b"", 12
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise NotAPicture("it is cut off")
    for _ in range(_MAX_WEBP_CHUNKS):
        if place >= end:
            break
        name, length = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        body = data[place + 8 : place + 8 + length]
        if len(name) != 4 or len(body) != length:
            raise NotAPicture("a chunk is cut off")
        place += 8 + length + (length & 1)
        if name in (b"VP8 ", b"VP8L"):
            if frame[0]:
                raise NotAPicture("two frames")
            frame = (name, body)
        elif name == b"ALPH":
            alpha = body
        elif name in (b"ANIM", b"ANMF"):
            raise NotAPicture("it moves")
    else:
        raise NotAPicture("too many chunks")
    name, body = frame
    if name == b"VP8L":
        (packed,) = struct.unpack_from("<I", body, 1)
        width, height, version = 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF), packed >> 29
        if body[0] != _LOSSLESS or version:
            raise NotAPicture("its frame makes no sense")
        alpha = b""
    elif name == b"VP8 ":
        if body[0] & 1 or body[3:6] != _KEY_FRAME:
            raise NotAPicture("its frame makes no sense")
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", body, 6))
    else:
        raise NotAPicture("no picture in it")
    _bounded(width, height, bounds)
    chunks = [(name, body)]
    if alpha:
        canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        chunks = [(b"VP8X", bytes([_TRANSLUCENT, 0, 0, 0]) + canvas), (b"ALPH", alpha), *chunks]
    told = b"".join(name + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) & 1) for name, body in chunks)
    return Picture("webp", width, height, _RIFF + (4 + len(told)).to_bytes(4, "little") + _WEBP + told)
