"""Verification of Ed25519 signatures, from RFC 8032, section 5.1. It verifies only; there is nothing secret here.

Stricter than the RFC asks for: the scalar must be below the group's order, both points must be written in their one
proper form, and a public key of small order, under which one signature fits many messages, is refused.
"""

from __future__ import annotations

from hashlib import sha512

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)

# Points are (X, Y, Z, T) with x = X/Z, y = Y/Z, x*y = T/Z.
_Point = tuple[int, int, int, int]
_NEUTRAL: _Point = (0, 1, 1, 0)


def signature_valid(*, public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature is one of this message by this key."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    key = _decoded(public_key)
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or scalar >= _ORDER or _is_small(key):
        return False
    challenge = int.from_bytes(sha512(signature[:32] + public_key + message).digest(), "little") % _ORDER
    # R = S*B - k*A; compared in its proper form, so that no other form of R passes.
    return _encoded(_sum_of_products(scalar, _BASE, challenge, _negative(key))) == signature[:32]


def _decoded(text: bytes) -> _Point | None:
    """Return the point that 32 bytes stand for, or None when they are not the proper form of any point."""
    number = int.from_bytes(text, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= _P:
        return None
    x = _x_of(y, sign)
    return None if x is None else (x, y, 1, x * y % _P)


def _x_of(y: int, sign: int) -> int | None:
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    if square == 0:
        return None if sign else 0
    root = pow(square, (_P + 3) // 8, _P)
    if (root * root - square) % _P:
        root = root * _ROOT_OF_MINUS_ONE % _P
    if (root * root - square) % _P:
        return None
    return root if root % 2 == sign else _P - root


def _encoded(point: _Point) -> bytes:
    inverse = pow(point[2], -1, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _added(one: _Point, other: _Point) -> _Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _negative(point: _Point) -> _Point:
    return -point[0] % _P, point[1], point[2], -point[3] % _P


def _is_small(point: _Point) -> bool:
    """Whether eight times the point is the neutral one."""
    for _ in range(3):
        point = _added(point, point)
    return point[0] == 0 and (point[1] - point[2]) % _P == 0


def _sum_of_products(first: int, one: _Point, second: int, other: _Point) -> _Point:
    """Return first * one + second * other, bit by bit from the top."""
    both, result = _added(one, other), _NEUTRAL
    for place in range(max(first.bit_length(), second.bit_length()) - 1, -1, -1):
        result = _added(result, result)
        bits = (first >> place & 1, second >> place & 1)
        if bits == (1, 1):
            result = _added(result, both)
        elif bits == (1, 0):
            result = _added(result, one)
        elif bits == (0, 1):
            result = _added(result, other)
    return result


def _base() -> _Point:
    y = 4 * pow(5, -1, _P) % _P
    x = _x_of(y, 0)
    assert x is not None
    return x, y, 1, x * y % _P


_BASE = _base()
