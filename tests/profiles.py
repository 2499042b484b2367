"""ICC profiles, written by hand after ICC.1:2001-04 (version 2), and what they mean, worked out with numpy."""

import struct

import numpy as np

# Columns: what the strongest red, green and blue are in XYZ under D50, as published in each space's own profile.
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
DISPLAY_P3 = np.array([[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]])
PROPHOTO = np.array([[0.79767, 0.13519, 0.03134], [0.28804, 0.71188, 0.00009], [0.0, 0.0, 0.82491]])
D50 = (0.9642, 1.0, 0.8249)


def decoded(values: np.ndarray) -> np.ndarray:
    """sRGB's curve, [0, 1] to linear light: IEC 61966-2-1."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def encoded(light: np.ndarray) -> np.ndarray:
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def in_srgb(pixels: np.ndarray, primaries: np.ndarray, gamma: float | None = None) -> np.ndarray:
    """(…, 3) uint8 of another space as the (…, 3) float of sRGB, 0 to 255, that look the same."""
    values = pixels / 255
    light = decoded(values) if gamma is None else values**gamma
    return 255 * encoded(light @ primaries.T @ np.linalg.inv(SRGB).T)


def rgb_profile(primaries: np.ndarray = SRGB, gamma: float | None = None, points: int = 1024) -> bytes:
    """gamma: None for sRGB's curve, as a table of so many points, or as its five numbers where points is 0."""
    curve = _parametric() if gamma is None and not points else _curve(gamma, points)
    tags = {b"rXYZ": _xyz(primaries[:, 0]), b"gXYZ": _xyz(primaries[:, 1]), b"bXYZ": _xyz(primaries[:, 2])}
    return _profile(b"RGB ", b"XYZ ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve))


def grey_profile(gamma: float | None = None) -> bytes:
    return _profile(b"GRAY", b"XYZ ", {b"kTRC": _curve(gamma, 1024)})


def cmyk_profile(lab_of_inks: dict[tuple[int, int, int, int], tuple[float, float, float]]) -> bytes:
    """From the Lab colour of each of the 16 ways to print none or all of cyan, magenta, yellow and black."""
    ramp = bytes(range(256))
    corners = [(c, m, y, k) for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)]
    table = b"".join(
        bytes([round(L * 2.55), round(a + 128), round(b + 128)]) for L, a, b in map(lab_of_inks.get, corners)
    )
    matrix = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + ramp * 4 + table + ramp * 3
    return _profile(b"CMYK", b"Lab ", {b"A2B0": lut}, b"prtr")


def _profile(space: bytes, connection: bytes, tags: dict[bytes, bytes], device: bytes = b"mntr") -> bytes:
    name = b"made for a test"
    description = b"desc" + bytes(4) + struct.pack(">I", len(name) + 1) + name + b"\0" + bytes(12 + 67)
    tags = {b"desc": description, b"cprt": b"text" + bytes(4) + b"none\0", b"wtpt": _xyz(D50), **tags}
    start, table, data = 128 + 4 + 12 * len(tags), b"", b""
    for signature, value in tags.items():
        table += signature + struct.pack(">II", start + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    size = start + len(data)
    header = struct.pack(">I4sI4s4s4s", size, b"none", 0x02400000, device, space, connection) + bytes(12) + b"acsp"
    header += bytes(28) + struct.pack(">3i", *(round(65536 * value) for value in D50))
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


def _xyz(values) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(65536 * value) for value in values))


def _curve(gamma: float | None, points: int) -> bytes:
    if gamma is not None:
        return b"curv" + bytes(4) + struct.pack(">IH", 1, round(256 * gamma))
    table = np.rint(65535 * decoded(np.linspace(0, 1, points))).astype(">u2").tobytes()
    return b"curv" + bytes(4) + struct.pack(">I", points) + table


def _parametric() -> bytes:
    numbers = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    return b"para" + bytes(4) + struct.pack(">HH5i", 3, 0, *(round(65536 * number) for number in numbers))
