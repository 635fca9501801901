"""SM2 public-key encryption (GB/T 32918.4 on the curve of GB/T 32918.5), as C1 || C3 || C2.

Only what wrapping a short key needs; why it is our own: no library of the field has it in a form we
could rely on (docs/decisions/0008). Points are multiplied in Jacobian coordinates, one inversion a
product. Nothing here runs in constant time: the encrypting side uses its secret number once, the
decrypting side is the local service's, which has nothing to hide.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import NamedTuple

from cryptography.hazmat.primitives.hashes import SM3, Hash

# The curve is y^2 = x^3 - 3x + B over the prime P; the point G has the prime order N.
P = 0xFFFFFFFE_FFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_00000000_FFFFFFFF_FFFFFFFF
B = 0x28E9FA9E_9D9F5E34_4D5A9E4B_CF6509A7_F39789F5_15AB8F92_DDBCBD41_4D940E93
N = 0xFFFFFFFE_FFFFFFFF_FFFFFFFF_FFFFFFFF_7203DF6B_21C6052B_53BBF409_39D54123

COORDINATE_BYTES = 32
POINT_BYTES = 1 + 2 * COORDINATE_BYTES
HASH_BYTES = 32
_UNCOMPRESSED = b"\x04"


class Point(NamedTuple):
    """A point of the curve; the one at infinity never occurs, because N is prime."""

    x: int
    y: int

    def encode(self) -> bytes:
        """Return the point as ``04 || x || y``."""
        return _UNCOMPRESSED + _number(self.x) + _number(self.y)


G = Point(
    0x32C4AE2C_1F198119_5F990446_6A39C994_8FE30BBF_F2660BE1_715A4589_334C74C7,
    0xBC3736A2_F4F6779C_59BDCEE3_6B692153_D0A9877C_C62A4740_02DF32E5_2139F0A0,
)


def decode_point(data: bytes) -> Point:
    """
    Read a point.

    :param data: ``04 || x || y``.
    :raises ValueError: it has another form, or does not lie on the curve.
    """
    if len(data) != POINT_BYTES or data[:1] != _UNCOMPRESSED:
        raise ValueError("no uncompressed point")
    x = int.from_bytes(data[1:-COORDINATE_BYTES])
    y = int.from_bytes(data[-COORDINATE_BYTES:])
    if x >= P or y >= P or (y * y - (x * x - 3) * x - B) % P:
        raise ValueError("the point does not lie on the curve")
    return Point(x, y)


def multiply(factor: int, point: Point) -> Point:
    """
    Return a multiple of a point.

    :param factor: from 1 to N - 1.
    """
    total = (0, 1, 0)
    for bit in f"{factor:b}":
        total = _double(*total)
        if bit == "1":
            total = _add(total, point)
    x, y, z = total
    inverse = pow(z, -1, P)
    return Point(x * inverse**2 % P, y * inverse**3 % P)


def encrypt(public: Point, message: bytes, draw: Callable[[], int]) -> bytes:
    """
    Return ``C1 || C3 || C2`` of a message: a point, a hash, and as many bytes as the message has.

    :param public: the receiver's key.
    :param message: at least one byte.
    :param draw: gives a secret number from 1 to N - 1, another one each time.
    """
    if not message:
        raise ValueError("an empty message cannot be encrypted")
    mask = b""
    while not any(mask):  # the standard wants another number then
        secret = draw()
        shared = multiply(secret, public)
        mask = _mask(shared, len(message))
    check = _check(shared, message)
    return multiply(secret, G).encode() + check + _xor(message, mask)


def decrypt(private: int, data: bytes) -> bytes:
    """
    Return the message of ``C1 || C3 || C2``.

    :param private: the receiver's secret number.
    :raises ValueError: any byte of it was changed.
    """
    point, check = data[:POINT_BYTES], data[POINT_BYTES : POINT_BYTES + HASH_BYTES]
    hidden = data[POINT_BYTES + HASH_BYTES :]
    shared = multiply(private, decode_point(point))
    message = _xor(hidden, _mask(shared, len(hidden)))
    if not hmac.compare_digest(check, _check(shared, message)):
        raise ValueError("the hash does not fit the message")
    return message


def _double(x: int, y: int, z: int) -> tuple[int, int, int]:
    y_2, z_2 = y * y % P, z * z % P
    s = 4 * x * y_2 % P
    m = 3 * (x - z_2) * (x + z_2) % P
    new_x = (m * m - 2 * s) % P
    return new_x, (m * (s - new_x) - 8 * y_2 * y_2) % P, 2 * y * z % P


def _add(one: tuple[int, int, int], other: Point) -> tuple[int, int, int]:
    """Add a point in plain coordinates to another one, or to infinity, where z is 0."""
    x, y, z = one
    if not z:
        return other.x, other.y, 1
    z_2 = z * z % P
    h, r = (other.x * z_2 - x) % P, (other.y * z_2 * z - y) % P
    if not h and not r:
        return _double(x, y, z)
    h_2 = h * h % P
    h_3, v = h * h_2 % P, x * h_2 % P
    new_x = (r * r - h_3 - 2 * v) % P
    return new_x, (r * (v - new_x) - y * h_3) % P, h * z % P


def _mask(shared: Point, length: int) -> bytes:
    """Return so many bytes from a shared point (KDF of GB/T 32918.4)."""
    seed = _number(shared.x) + _number(shared.y)
    blocks = range(1, -(-length // HASH_BYTES) + 1)
    return b"".join(_sm3(seed, block.to_bytes(4)) for block in blocks)[:length]


def _check(shared: Point, message: bytes) -> bytes:
    return _sm3(_number(shared.x), message, _number(shared.y))


def _sm3(*pieces: bytes) -> bytes:
    hashed = Hash(SM3())
    for piece in pieces:
        hashed.update(piece)
    return hashed.finalize()


def _number(value: int) -> bytes:
    return value.to_bytes(COORDINATE_BYTES)


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
