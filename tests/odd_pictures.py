"""Image files that cost more than their pixels where a decoder takes them as they come."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

PNG = b"\x89PNG\r\n\x1a\n"


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """The picture as an image file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def scene(size: tuple[int, int]) -> Image.Image:
    """A picture with colours and some noise, the same each time."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), np.int16)
    tile = rng.integers(-6, 7, (64, 64, 3), dtype=np.int16)
    noise = np.tile(tile, (size[1] // 64 + 1, size[0] // 64 + 1, 1))[: size[1], : size[0]]
    return Image.fromarray((smooth + noise).clip(0, 255).astype(np.uint8))


# PNG


def chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def flat_png(width: int, height: int, *, colour: int = 2, depth: int = 8) -> bytes:
    """One colour, written without making the picture."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    row = b"\0" + b"\x5a" * ((width * channels * depth + 7) // 8)
    packer = zlib.compressobj(9)
    data = b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return PNG + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    """The PNG with these chunks behind its header."""
    return png[:33] + b"".join(chunks) + png[33:]


def in_tiny_chunks(png: bytes) -> bytes:
    """The PNG with one byte of its pixels in each chunk."""
    at = png.index(b"IDAT") - 4
    length = int.from_bytes(png[at : at + 4], "big")
    data = png[at + 8 : at + 8 + length]
    pieces = [chunk(b"IDAT", data[i : i + 1]) for i in range(length)]
    return png[:at] + b"".join(pieces) + chunk(b"IEND", b"")


# JPEG


def segment(marker: int, data: bytes) -> bytes:
    """A JPEG segment."""
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """The JPEG with these segments at its begin."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def of_many_scans(image: Image.Image, scans: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again, and says nothing."""
    jpeg = encoded(image, "JPEG", progressive=True)
    start = jpeg.rindex(b"\xff\xda")
    head = jpeg[start : start + 2 + int.from_bytes(jpeg[start + 2 : start + 4], "big")]
    return jpeg[:-2] + (head + b"\0") * scans + jpeg[-2:]


def exif_of_tags(tags: int, order: str = "<", tiff: bytes = b"") -> bytes:
    """EXIF data with so many tags, all of which point at all there is."""
    entries = b"".join(
        struct.pack(order + "HHII", 0x9000 + i % 0x6000, 7, 60_000, 8) for i in range(tags)
    )
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    body = head + struct.pack(order + "H", tags) + entries + b"\0" * 4
    return body.ljust(65_000, b"\0")[:65_000]


# TIFF


def tiff(
    pixels: bytes,
    width: int,
    height: int,
    *,
    order: str = "<",
    big: bool = False,
    tags: dict[int, tuple[int, list[int] | list[float]]] | None = None,
    more: bytes = b"",
    rows: int | None = None,
) -> bytes:
    """An uncompressed TIFF, with these tags (number: type and values) besides the needed ones."""
    codes = {3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 16: "Q"}
    head = 16 if big else 8
    rows = rows or height
    strips = -(-height // rows)
    stride = len(pixels) // height
    every: dict[int, tuple[int, list[int] | list[float]]] = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [8]),
        259: (3, [1]),
        262: (3, [1]),
        273: (4, [head + i * rows * stride for i in range(strips)]),
        277: (3, [1]),
        278: (4, [rows]),
        279: (4, [min(rows, height - i * rows) * stride for i in range(strips)]),
    }
    every |= tags or {}
    values = {tag: struct.pack(f"{order}{len(v)}{codes[k]}", *v) for tag, (k, v) in every.items()}
    inline = 8 if big else 4
    at = head + len(pixels)
    at += at % 2
    body = b""
    entries = b""
    size = 20 if big else 12
    start = at + (8 if big else 2) + size * len(every) + len(more) // 1 + (8 if big else 4)
    for tag in sorted(every):
        kind, given = every[tag]
        packed = values[tag]
        if len(packed) > inline:
            place = struct.pack(order + ("Q" if big else "I"), start + len(body))
            body += packed + b"\0" * (len(packed) % 2)
        else:
            place = packed.ljust(inline, b"\0")
        entries += struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, len(given)) + place
    number = len(every) + len(more) // size
    directory = struct.pack(order + ("Q" if big else "H"), number) + entries + more
    directory += b"\0" * (8 if big else 4)
    name = b"II" if order == "<" else b"MM"
    first = struct.pack(order + ("HHHQ" if big else "HI"), *((43, 8, 0, at) if big else (42, at)))
    padding = b"\0" * (at - head - len(pixels))
    return name + first + pixels + padding + directory + body


def tiff_of_tags(width: int, height: int, tags: int) -> bytes:
    """A grey TIFF with many tags that each hold all of its pixels."""
    pixels = bytes(width * height)
    more = b"".join(struct.pack("<HHII", 40_000 + i, 7, len(pixels), 8) for i in range(tags))
    return tiff(pixels, width, height, more=more)


# GIF and BMP


def gif_of_comments(image: Image.Image, blocks: int) -> bytes:
    """A GIF with a comment of so many blocks of one byte before its picture."""
    gif = encoded(image.quantize(64), "GIF")
    at = 13 + (3 << (gif[10] & 7) + 1 if gif[10] & 0x80 else 0)
    return gif[:at] + b"!\xfe" + b"\x01x" * blocks + b"\0" + gif[at:]


def gif_over_its_screen(image: Image.Image) -> bytes:
    """A GIF whose screen is one pixel."""
    gif = bytearray(encoded(image.quantize(64), "GIF"))
    struct.pack_into("<HH", gif, 6, 1, 1)
    return bytes(gif)


def run_length_bmp(indices: np.ndarray, *, bits: int = 8) -> bytes:
    """A BMP of 16 greys with its runs encoded; (height, width) indices below 16."""
    height, width = indices.shape
    rows = []
    for row in indices[::-1]:
        ends = np.flatnonzero(np.diff(row)) + 1
        for piece in np.split(row, ends):
            value = int(piece[0])
            for start in range(0, len(piece), 254):
                count = min(254, len(piece) - start)
                rows.append(bytes([count, value if bits == 8 else value << 4 | value]))
        rows.append(b"\0\0")
    data = b"".join([*rows, b"\0\1"])
    palette = b"".join(bytes([17 * i] * 3 + [0]) for i in range(16))
    start = 54 + len(palette)
    packing = 1 if bits == 8 else 2
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, packing, len(data), 0, 0, 16, 0)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + info + palette + data


# netpbm


def plain_ppm(image: Image.Image) -> bytes:
    """The picture in decimal numbers."""
    numbers = " ".join(map(str, np.asarray(image).ravel().tolist()))
    return f"P3\n{image.width} {image.height}\n255\n{numbers}\n".encode()


def odd_ppm(image: Image.Image, most: int) -> bytes:
    """The picture in binary numbers up to an unusual one."""
    levels = np.asarray(image).astype(np.uint32) * most // 255
    data = levels.astype(">u2" if most > 255 else np.uint8).tobytes()
    return f"P6\n{image.width} {image.height}\n{most}\n".encode() + data


def pfm(levels: np.ndarray) -> bytes:
    """Floating-point greys, or colours, (height, width[, 3]); the lowest row comes first."""
    letter = b"F" if levels.ndim == 3 else b"f"
    head = b"P%s\n%d %d\n-1.0\n" % (letter, levels.shape[1], levels.shape[0])
    return head + levels[::-1].astype("<f4").tobytes()


def with_alpha(image: Image.Image) -> Image.Image:
    """The picture with a gradient of transparency."""
    copy = image.copy()
    copy.putalpha(Image.linear_gradient("L").resize(image.size))
    return copy


def kinds(image: Image.Image) -> dict[str, Callable[[], bytes]]:
    """Files of every kind that show a picture or its greys, and those that pretend to be more."""
    grey = image.convert("L")
    deep = np.asarray(grey).astype(np.uint16) * 257
    width, height = image.size
    palette = image.quantize(64)
    again = [image.rotate(180)] * 3
    few = np.asarray(grey.resize((16, 16)).resize(image.size, Image.Resampling.NEAREST)) // 16
    return {
        "PNG, RGB": lambda: encoded(image, compress_level=1),
        "PNG, transparent": lambda: encoded(with_alpha(image), compress_level=1),
        "PNG, grey, transparent": lambda: encoded(with_alpha(grey), compress_level=1),
        "PNG, palette, transparent": lambda: encoded(palette, transparency=3, compress_level=1),
        "PNG, one bit": lambda: encoded(grey.convert("1")),
        "PNG, 16 bits": lambda: encoded(Image.fromarray(deep), compress_level=1),
        "PNG, a text of 128 MB": lambda: with_chunks(
            encoded(image, compress_level=1), chunk(b"zTXt", b"t\0\0" + zlib.compress(bytes(2**27)))
        ),
        "PNG, a profile of 128 MB": lambda: with_chunks(
            encoded(image, compress_level=1), chunk(b"iCCP", b"t\0\0" + zlib.compress(bytes(2**27)))
        ),
        "PNG, animated": lambda: encoded(
            image, save_all=True, append_images=again, compress_level=1
        ),
        "JPEG": lambda: encoded(image, "JPEG", quality=90),
        "JPEG, progressive": lambda: encoded(image, "JPEG", quality=90, progressive=True),
        "JPEG, progressive, fine colours": lambda: encoded(
            image, "JPEG", quality=90, progressive=True, subsampling=0
        ),
        "JPEG, CMYK": lambda: encoded(image.convert("CMYK"), "JPEG", quality=90),
        "JPEG, 90 empty scans": lambda: of_many_scans(image, 90),
        "JPEG, 20 000 scans": lambda: of_many_scans(image, 20_000),
        "JPEG, no end": lambda: encoded(image, "JPEG", quality=90)[:-2],
        "JPEG, cut short": lambda: encoded(image, "JPEG", quality=90)[:-20_000],
        "JPEG, 5000 tags of 60 kB": lambda: with_segments(
            encoded(image, "JPEG"), segment(0xE1, b"Exif\0\0" + exif_of_tags(5000))
        ),
        "JPEG, of two pictures": lambda: encoded(
            image, "MPO", save_all=True, append_images=again[:1]
        ),
        "WebP": lambda: encoded(image, "WEBP", method=0),
        "WebP, transparent": lambda: encoded(with_alpha(image), "WEBP", method=0),
        "WebP, animated": lambda: encoded(
            image, "WEBP", method=0, save_all=True, append_images=again
        ),
        "GIF": lambda: encoded(palette, "GIF"),
        "GIF, animated": lambda: encoded(
            palette, "GIF", save_all=True, append_images=[i.quantize(64) for i in again]
        ),
        "GIF, a comment of 90 000 blocks": lambda: gif_of_comments(image, 90_000),
        "GIF, larger than its screen": lambda: gif_over_its_screen(image),
        "BMP": lambda: encoded(image, "BMP"),
        "BMP, 32 bits": lambda: encoded(with_alpha(image), "BMP"),
        "BMP, runs": lambda: run_length_bmp(few),
        "BMP, runs of 4 bits": lambda: run_length_bmp(few, bits=4),
        "TIFF": lambda: encoded(image, "TIFF"),
        "TIFF, LZW": lambda: encoded(image, "TIFF", compression="tiff_lzw"),
        "TIFF, JPEG": lambda: encoded(image, "TIFF", compression="jpeg"),
        "TIFF, CMYK": lambda: encoded(image.convert("CMYK"), "TIFF"),
        "TIFF, 16 bits": lambda: encoded(Image.fromarray(deep), "TIFF"),
        "TIFF, 32 bits": lambda: encoded(Image.fromarray(deep.astype(np.int32)), "TIFF"),
        "TIFF, floats": lambda: encoded(Image.fromarray(deep.astype(np.float32)), "TIFF"),
        "TIFF, 3000 tags of all pixels": lambda: tiff_of_tags(width, height, 3000),
        "TIFF, a strip a row": lambda: tiff(grey.tobytes(), width, height, rows=1),
        "TIFF, 100 pages": lambda: encoded(
            image, "TIFF", save_all=True, append_images=[image.resize((32, 32))] * 100
        ),
        "AVIF": lambda: encoded(image, "AVIF", speed=10),
        "AVIF, transparent": lambda: encoded(with_alpha(image), "AVIF", speed=10),
        "AVIF, animated": lambda: encoded(
            image, "AVIF", speed=10, save_all=True, append_images=again
        ),
        "PPM": lambda: encoded(image, "PPM"),
        "PPM, 1000 levels": lambda: odd_ppm(image, 1000),
        "PGM, 16 bits": lambda: encoded(Image.fromarray(deep), "PPM"),
        "PBM": lambda: encoded(grey.convert("1"), "PPM"),
        "PFM": lambda: pfm(np.asarray(grey, np.float32) / 255),
    }
