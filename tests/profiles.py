"""Small ICC profiles, made here (ICC.1:2022 and, for the printer's, version 2)."""

from __future__ import annotations

import struct

import numpy as np

P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
_D65 = (0.3127, 0.3290)
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def _xyz(xy: tuple[float, float]) -> np.ndarray:
    return np.array([xy[0] / xy[1], 1, (1 - xy[0] - xy[1]) / xy[1]])


def matrix(primaries: tuple[tuple[float, float], ...]) -> np.ndarray:
    """From linear RGB to XYZ under D50; columns are the primaries."""
    columns = np.stack([_xyz(xy) for xy in primaries], axis=1)
    scaled = columns * np.linalg.solve(columns, _xyz(_D65))
    gain = (_BRADFORD @ _D50) / (_BRADFORD @ _xyz(_D65))
    found: np.ndarray = np.linalg.inv(_BRADFORD) @ np.diag(gain) @ _BRADFORD @ scaled
    return found


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _text(words: str) -> bytes:
    encoded = words.encode("utf-16-be")
    return b"mluc" + struct.pack(">IIIHHII", 0, 1, 12, 0x656E, 0x5553, len(encoded), 28) + encoded


def _profile(
    space: bytes, kind: bytes, pcs: bytes, version: int, tags: dict[bytes, bytes]
) -> bytes:
    start = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for tag, data in tags.items():
        table += tag + struct.pack(">II", start + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    header = struct.pack(">I4sI4s4s4s", start + len(body), b"lcms", version << 24, kind, space, pcs)
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28
    header += b"".join(map(_fixed, _D50))
    return header.ljust(128, b"\0") + table + body


def of_rgb(primaries: tuple[tuple[float, float], ...], gamma: float | None = None) -> bytes:
    """A profile of three primaries, with sRGB's curve or a power."""
    if gamma is None:
        numbers = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
        curve = b"para\0\0\0\0\0\3\0\0" + b"".join(map(_fixed, numbers))
    else:
        curve = b"para\0\0\0\0\0\0\0\0" + _fixed(gamma)
    tags = {b"desc": _text("made"), b"cprt": _text("none")}
    tags[b"wtpt"] = b"XYZ \0\0\0\0" + b"".join(map(_fixed, _D50))
    for name, column in zip((b"r", b"g", b"b"), matrix(primaries).T, strict=True):
        tags[name + b"XYZ"] = b"XYZ \0\0\0\0" + b"".join(map(_fixed, column))
        tags[name + b"TRC"] = curve
    return _profile(b"RGB ", b"mntr", b"XYZ ", 4, tags)


def of_cmyk() -> bytes:
    """A printer whose inks take away lightness, each a different share of it."""
    corners = []
    for i in range(16):
        c, m, y, k = (i >> 3 & 1, i >> 2 & 1, i >> 1 & 1, i & 1)
        lightness = 100 * (1 - 0.35 * c) * (1 - 0.45 * m) * (1 - 0.08 * y) * (1 - 0.9 * k)
        left = 1 - k
        corners += [
            round(lightness * 2.55),
            128 + round(left * (70 * m - 35 * c)),
            128 + round(left * (85 * y - 45 * c - 5 * m)),
        ]
    line = bytes(range(256))
    unit = b"".join(_fixed(float(i == j)) for i in range(3) for j in range(3))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + unit + line * 4 + bytes(corners) + line * 3
    tags = {b"desc": b"desc\0\0\0\0\0\0\0\5made\0".ljust(90, b"\0"), b"cprt": b"text\0\0\0\0none\0"}
    tags[b"wtpt"] = b"XYZ \0\0\0\0" + b"".join(map(_fixed, _D50))
    tags[b"A2B0"] = lut
    return _profile(b"CMYK", b"prtr", b"Lab ", 2, tags)


def encoded_in(
    levels: np.ndarray, primaries: tuple[tuple[float, float], ...], gamma: float | None = None
) -> np.ndarray:
    """Levels of sRGB, (..., 3) in 0..255, as those of another space; clipped to it."""
    light = levels.astype(np.float64) / 255
    light = np.where(light <= 0.04045, light / 12.92, ((light + 0.055) / 1.055) ** 2.4)
    there = light @ matrix(SRGB).T @ np.linalg.inv(matrix(primaries)).T
    there = there.clip(0, 1)
    if gamma is not None:
        powered: np.ndarray = (255 * there ** (1 / gamma)).round().astype(np.uint8)
        return powered
    curved = np.where(there <= 0.0031308, there * 12.92, 1.055 * there ** (1 / 2.4) - 0.055)
    found: np.ndarray = (255 * curved).round().astype(np.uint8)
    return found


def decoded_from(
    levels: np.ndarray, primaries: tuple[tuple[float, float], ...], gamma: float | None = None
) -> np.ndarray:
    """Levels of another space, (..., 3) in 0..255, as those of sRGB; computed exactly."""
    there = levels.astype(np.float64) / 255
    if gamma is not None:
        light = there**gamma
    else:
        light = np.where(there <= 0.04045, there / 12.92, ((there + 0.055) / 1.055) ** 2.4)
    here = (light @ matrix(primaries).T @ np.linalg.inv(matrix(SRGB)).T).clip(0, 1)
    curved = np.where(here <= 0.0031308, here * 12.92, 1.055 * here ** (1 / 2.4) - 0.055)
    found: np.ndarray = (255 * curved).round().astype(np.uint8)
    return found
