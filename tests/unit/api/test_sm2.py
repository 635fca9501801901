import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_faceid.api.encryption import sm2

PRIVATE = 0x1234567890ABCDEF << 128 | 0xFEDCBA
PUBLIC = sm2.multiply(PRIVATE, sm2.G)
FACTORS = st.integers(1, sm2.N - 1)


def affine_sum(one, other):
    """Add two points as the textbook has it."""
    if one is None:
        return other
    if one.x == other.x:
        if one.y != other.y:
            return None
        slope = (3 * one.x**2 - 3) * pow(2 * one.y, -1, sm2.P)
    else:
        slope = (other.y - one.y) * pow(other.x - one.x, -1, sm2.P)
    x = (slope**2 - one.x - other.x) % sm2.P
    return sm2.Point(x, (slope * (one.x - x) - one.y) % sm2.P)


def test_small_multiples_are_sums():
    total = None
    for factor in range(1, 40):
        total = affine_sum(total, sm2.G)
        assert sm2.multiply(factor, sm2.G) == total


@given(one=FACTORS, other=FACTORS)
@settings(max_examples=30, deadline=None)
def test_factors_may_be_taken_in_any_order(one, other):
    point = sm2.multiply(other, sm2.multiply(one, sm2.G))
    assert point == sm2.multiply(one * other % sm2.N, sm2.G)


def test_the_last_multiple_mirrors_the_first():
    assert sm2.multiply(sm2.N - 1, sm2.G) == sm2.Point(sm2.G.x, sm2.P - sm2.G.y)


@given(message=st.binary(min_size=1, max_size=100), secret=FACTORS)
@settings(max_examples=50, deadline=None)
def test_what_is_encrypted_is_decrypted(message, secret):
    # One byte has a mask of zero once in 256 times; the next secret is another one.
    secrets = iter(range(secret, secret + 99))
    sealed = sm2.encrypt(PUBLIC, message, lambda: next(secrets) % sm2.N or 1)
    assert len(sealed) == 65 + 32 + len(message)
    assert sm2.decrypt(PRIVATE, sealed) == message


def test_a_mask_of_zero_is_not_used():
    drawn = []

    def draw():
        drawn.append(len(drawn) + 1)
        return drawn[-1]

    while len(drawn) < 2000:
        before = len(drawn)
        sealed = sm2.encrypt(PUBLIC, b"\x07", draw)
        assert sealed[-1:] != b"\x07"
        if len(drawn) > before + 1:
            return
    pytest.fail("no mask of zero in 2,000")


def test_an_empty_message_is_refused():
    with pytest.raises(ValueError, match="empty"):
        sm2.encrypt(PUBLIC, b"", lambda: 1)


@pytest.mark.parametrize("place", [0, 1, 40, 64, 65, 96, 97, 112])
def test_a_changed_byte_is_noticed(place):
    sealed = bytearray(sm2.encrypt(PUBLIC, bytes(16), lambda: 4711))
    sealed[place] ^= 1
    with pytest.raises(ValueError, match=r"point|hash"):
        sm2.decrypt(PRIVATE, bytes(sealed))


@pytest.mark.parametrize("length", [0, 1, 64, 65, 96, 111])
def test_a_shorter_text_is_noticed(length):
    sealed = sm2.encrypt(PUBLIC, bytes(16), lambda: 4711)[:length]
    with pytest.raises(ValueError, match=r"point|hash"):
        sm2.decrypt(PRIVATE, sealed)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x02" + bytes(32), id="compressed"),
        pytest.param(b"\x04" + bytes(64), id="not on the curve"),
        pytest.param(
            b"\x04" + (sm2.G.x + sm2.P).to_bytes(33)[1:] + sm2.G.encode()[33:], id="x too large"
        ),
        pytest.param(sm2.G.encode() + b"\0", id="too long"),
    ],
)
def test_other_points_are_refused(data):
    with pytest.raises(ValueError, match="point"):
        sm2.decode_point(data)


def test_a_point_is_read_as_it_was_written():
    assert sm2.decode_point(PUBLIC.encode()) == PUBLIC
