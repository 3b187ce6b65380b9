"""The verifier's own Ed25519: the RFC's vectors, ``cryptography`` on random keys, and signatures that must not pass."""

from __future__ import annotations

from hashlib import sha512

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from fairstrike_verify.ed25519 import signature_valid

ORDER = 2**252 + 27742317777372353535851937790883648493
FIELD = 2**255 - 19

# RFC 8032, section 7.1: public key, message, signature of TEST 1, 2, 3 and SHA(abc).
RFC_VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
            "655141438e7a100b"
        ),
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee"
            "b00d291612bb0c00"
        ),
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28d"
            "c027beceea1ec40a"
        ),
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        sha512(b"abc").hexdigest(),
        (
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17a"
            "d9bef1177331a704"
        ),
    ),
]
# The points of small order in their proper form: under such a key one signature fits many messages.
SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]


def _peers_agree(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Return what both implementations say, which must be the same."""
    ours = signature_valid(public_key=public_key, message=message, signature=signature)
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        assert not ours
        return False
    assert ours
    return True


@pytest.mark.parametrize(("public_key", "message", "signature"), RFC_VECTORS)
def test_the_vectors_of_the_rfc_verify(public_key: str, message: str, signature: str) -> None:
    """RFC 8032, section 7.1; one flipped bit anywhere does not."""
    key, text, value = (bytes.fromhex(one) for one in (public_key, message, signature))
    assert _peers_agree(key, text, value)
    for place in range(0, 512, 37):
        changed = bytearray(value)
        changed[place // 8] ^= 1 << place % 8
        assert not _peers_agree(key, text, bytes(changed))
    assert not _peers_agree(key, text + b"\0", value)


@settings(max_examples=30)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.integers(0, 511))
def test_it_agrees_with_cryptography(seed: bytes, message: bytes, bit: int) -> None:
    """Issue: a verify-only RFC 8032 routine, tested against ``cryptography``."""
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public_key = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    signature = private.sign(message)
    assert _peers_agree(public_key, message, signature)
    changed = bytearray(signature)
    changed[bit // 8] ^= 1 << bit % 8
    assert not _peers_agree(public_key, message, bytes(changed))


def test_a_second_form_of_a_signature_is_refused() -> None:
    """RFC 8032, 5.1.7: S + L would be another signature of the same message."""
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    public_key = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    signature = private.sign(b"message")
    scalar = int.from_bytes(signature[32:], "little") + ORDER
    assert not _peers_agree(public_key, b"message", signature[:32] + scalar.to_bytes(32, "little"))


@pytest.mark.parametrize("point", SMALL_ORDER)
def test_a_key_of_small_order_is_refused(point: str) -> None:
    """Under such a key R = identity and S = 0 would fit every message, or every eighth one."""
    for message in (b"", b"any", b"message"):
        identity = (1).to_bytes(32, "little") + bytes(32)
        assert not signature_valid(public_key=bytes.fromhex(point), message=message, signature=identity)


def test_points_in_another_form_than_their_proper_one_are_refused() -> None:
    """RFC 8032, 5.1.3: a coordinate of the field's size or more, a negative zero, and what is no point at all."""
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    good = private.sign(b"message")
    improper = [FIELD, FIELD + 1, 1 + 2**255, 2, 2**255 - 1]
    for number in improper:
        point = number.to_bytes(32, "little")
        assert not signature_valid(public_key=point, message=b"message", signature=good)
        public_key = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        assert not _peers_agree(public_key, b"message", point + good[32:])


@pytest.mark.parametrize(("key_bytes", "signature_bytes"), [(31, 64), (33, 64), (32, 63), (32, 65), (0, 0)])
def test_other_lengths_are_refused(key_bytes: int, signature_bytes: int) -> None:
    """RFC 8032, 5.1.7."""
    assert not signature_valid(public_key=bytes(key_bytes), message=b"", signature=bytes(signature_bytes))
