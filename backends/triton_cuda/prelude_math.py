"""Functions of one or two reals as Triton text, written in arithmetic and bit operations only.

In: nothing. Out: `FUNCTIONS`, name -> text. Why not `tl.exp` and libdevice: the interpreter has no
libdevice, `tl.exp` on the device is an approximation whose error grows with |x|, and `sin` there
spills to local memory. These give the same float32 result wherever multiplication and addition are
IEEE (a device may fuse them, which moves the last bit).

Note [Coefficients]: our own weighted least-squares fits in 40-digit arithmetic, reweighted towards
equal ripple, with coefficients rounded to float32 one by one. Errors stand in
`tests/triton_interpret/test_prelude.py`. The schemes are textbook: argument reduction with a split
constant (Cody & Waite 1980), reduction by the bits of 1/(2 pi) (Payne & Hanek 1983), a compensated
log1p (Goldberg 1991, theorem 4).
"""

from __future__ import annotations

_MAXIMUM = '''
@triton.jit
def _maximum(x, y):
    """The larger one; nan if one is nan (as numpy and torch have it)."""
    return tl.maximum(x, y, propagate_nan=tl.PropagateNan.ALL)
'''

_MINIMUM = '''
@triton.jit
def _minimum(x, y):
    """The smaller one; nan if one is nan."""
    return tl.minimum(x, y, propagate_nan=tl.PropagateNan.ALL)
'''

_TURNED = '''
@triton.jit
def _turned(bits):
    """The bits of numbers as integers in the same order, and back again."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)
'''

_GREATEST = '''
@triton.jit
def _greatest(x, axis: tl.constexpr):
    """The largest along an axis; nan if one is nan, which `tl.max` of reals leaves out."""
    key = tl.where(x == x, _turned(x.to(tl.int32, bitcast=True)), 0x7FFFFFFF)
    return _turned(tl.max(key, axis=axis)).to(tl.float32, bitcast=True)
'''

_LEAST = '''
@triton.jit
def _least(x, axis: tl.constexpr):
    """The smallest along an axis; nan if one is nan."""
    key = tl.where(x == x, _turned(x.to(tl.int32, bitcast=True)), -0x80000000)
    return _turned(tl.min(key, axis=axis)).to(tl.float32, bitcast=True)
'''

_RANK = '''
@triton.jit
def _rank(x):
    """Integers in the order of argmin: nan, then numbers; -0 is 0."""
    bits = x.to(tl.int32, bitcast=True)
    key = tl.where(bits < 0, -(bits & 0x7FFFFFFF), bits)
    return tl.where(x == x, key, -0x80000000)
'''

_EXP = '''
@triton.jit
def _exp(x):
    """e to the x: x = k log 2 + r, a polynomial in r, and 2^k in two factors (for subnormals)."""
    bounded = tl.minimum(tl.maximum(x, -104.0), 89.0)
    k = tl.floor(bounded * 1.4426950216293335 + 0.5)
    r = bounded - k * 0.693359375 + k * 0.00021219444170128554
    p = 0.008333208970725536 + r * (0.0013934456510469317 + r * 0.0001994345075218007)
    p = 0.5 + r * (0.1666666716337204 + r * (0.04166647419333458 + r * p))
    p = 1.0 + (r + r * r * p)
    exponent = k.to(tl.int32)
    half = exponent >> 1
    low = ((half + 127) << 23).to(tl.float32, bitcast=True)
    high = ((exponent - half + 127) << 23).to(tl.float32, bitcast=True)
    return tl.where(x == x, p * low * high, x)
'''

_EXPM1 = '''
@triton.jit
def _expm1(x):
    """exp(x) - 1, accurate near 0."""
    bounded = tl.minimum(tl.maximum(x, -18.0), 89.0)
    k = tl.floor(bounded * 1.4426950216293335 + 0.5)
    r = bounded - k * 0.693359375 + k * 0.00021219444170128554
    p = 0.008333208970725536 + r * (0.0013934456510469317 + r * 0.0001994345075218007)
    p = 0.5 + r * (0.1666666716337204 + r * (0.04166647419333458 + r * p))
    p = r + r * r * p
    half = ((k.to(tl.int32) + 126) << 23).to(tl.float32, bitcast=True)
    grown = 2.0 * (half * p + (half - 0.5))
    return tl.where(x == x, tl.where(k == 0.0, p, grown), x)
'''

_LOG = '''
@triton.jit
def _log(x):
    """The natural logarithm: x = 2^k (1 + f) with 1 + f around 1, and a series in f / (2 + f)."""
    small = x < 1.1754943508222875e-38
    bits = tl.where(small, x * 33554432.0, x).to(tl.int32, bitcast=True)
    # 1 + f lies in [sqrt(1/2), sqrt(2)): the exponent is that of x / sqrt(1/2)
    shifted = bits - 0x3F3504F3
    exponent = shifted >> 23
    f = (bits - (exponent << 23)).to(tl.float32, bitcast=True) - 1.0
    k = exponent.to(tl.float32) - tl.where(small, 25.0, 0.0)
    s = f / (2.0 + f)
    z = s * s
    rest = z * (0.28499555587768555 + z * 0.24257341027259827)
    rest = z * (0.6666666269302368 + z * (0.4000096619129181 + rest))
    half = 0.5 * f * f
    value = k * 0.693359375 - ((half - (s * (half + rest) - k * 0.00021219444170128554)) - f)
    value = tl.where(x == float("inf"), x, value)
    value = tl.where(x == 0.0, -float("inf"), value)
    return tl.where(x >= 0.0, value, float("nan"))
'''

_LOG1P = '''
@triton.jit
def _log1p(x):
    """log(1 + x), accurate near 0: log of the rounded sum, and what rounding lost."""
    u = 1.0 + x
    value = _log(u) - ((u - 1.0) - x) / u
    value = tl.where(u == 0.0, -float("inf"), value)
    return tl.where(x == float("inf"), x, value)
'''

_SIGMOID = '''
@triton.jit
def _sigmoid(x):
    """1 / (1 + exp(-x)), without overflow."""
    small = _exp(-tl.abs(x))
    return tl.where(x >= 0.0, 1.0, small) / (1.0 + small)
'''

_SILU = '''
@triton.jit
def _silu(x):
    """x times the logistic function of x."""
    return x * _sigmoid(x)
'''

_SOFTPLUS = '''
@triton.jit
def _softplus(x):
    """log(1 + exp(x)), without overflow."""
    return tl.maximum(x, 0.0) + _log1p(_exp(-tl.abs(x)))
'''

_TANH = '''
@triton.jit
def _tanh(x):
    """The hyperbolic tangent, of |x| and then with the sign of x."""
    grown = _expm1(2.0 * tl.minimum(tl.abs(x), 10.0))
    value = grown / (grown + 2.0)
    value = tl.where(x < 0.0, -value, value)
    return tl.where(x == x, value, x)
'''

_ERF = '''
@triton.jit
def _erf(x):
    """The error function: odd in x near 0, elsewhere 1 - exp(a polynomial of |x|)."""
    a = tl.minimum(tl.abs(x), 4.0)
    z = x * x
    near = -0.026648366823792458 + z * (0.004791878163814545 - z * 0.00044835146400146186)
    near = -0.3761221170425415 + z * (0.11278769373893738 + z * near)
    near = x + x * (0.12837916709551256 + z * (near - z * z * z * z * z * 3.910737359547056e-05))
    far = 0.004205276258289814 + a * (-0.00044146424625068903 + a * 2.169615436287131e-05)
    far = 0.6332162618637085 + a * (0.10842221975326538 + a * (-0.02521037869155407 + a * far))
    far = 1.0 - _exp(0.00018847956380341202 - a * (1.1295803785324097 + a * far))
    far = tl.where(x < 0.0, -far, far)
    return tl.where(x == x, tl.where(a < 1.0, near, far), x)
'''

_GELU = '''
@triton.jit
def _gelu(x):
    """x times the standard normal distribution function at x."""
    return 0.5 * x * (1.0 + _erf(x * 0.7071067811865476))
'''

_TURN = '''
@triton.jit
def _turn(place):
    """Word `place` (1 .. 6) of 32 bits of 1/(2 pi); word 0 stands before the point."""
    value = tl.where(place == 1, 0x28BE60DB, 0).to(tl.uint64)
    value = tl.where(place == 2, 0x9391054A, value)
    value = tl.where(place == 3, 0x7F09D5F4, value)
    value = tl.where(place == 4, 0x7D4D3770, value)
    value = tl.where(place == 5, 0x36D8A566, value)
    return tl.where(place == 6, 0x4F10E410, value)
'''

_QUARTERS = '''
@triton.jit
def _quarters(x):
    """(q, r): |x| = (4n + q) pi/2 + r with |r| <= pi/4 and 0 <= q < 4, for every finite x.

    The mantissa is multiplied by a window of 96 bits of 1/(2 pi) that starts where products are no
    longer whole turns; arguments below pi/4 are their own remainder.
    """
    bits = x.to(tl.int32, bitcast=True) & 0x7FFFFFFF
    mantissa = ((bits.to(tl.uint32) << 8) | 0x80000000).to(tl.uint64)
    place = tl.maximum((bits >> 23) - 126, 0)
    word = place >> 5
    shift = (place & 31).to(tl.uint64)
    a = _turn(word)
    b = _turn(word + 1)
    c = _turn(word + 2)
    d = _turn(word + 3)
    # each product fits 64 bits, and the sums wrap around, as wanted
    high = (((a << 32) | b) << shift) >> 32
    middle = (((b << 32) | c) << shift) >> 32
    low = (((c << 32) | d) << shift) >> 32
    product = ((mantissa * high) << 32) + mantissa * middle + ((mantissa * low) >> 32)
    quarter = ((product + 0x2000000000000000) >> 62).to(tl.int32)
    rest = (product << 2).to(tl.int64, bitcast=True)
    r = (rest.to(tl.float64) * 8.515303950216386e-20).to(tl.float32)
    own = bits < 0x3F490FDB
    return tl.where(own, 0, quarter & 3), tl.where(own, tl.abs(x), r)
'''

_SINE = '''
@triton.jit
def _sine(quarter, r):
    """sin(quarter pi/2 + r) for |r| <= pi/4."""
    z = r * r
    sine = 0.008333379402756691 + z * (-0.00019852981495205313 + z * 2.8307767934165895e-06)
    sine = r + r * (z * (-0.1666666716337204 + z * sine))
    cosine = 0.04166664555668831 + z * (-0.0013887302484363317 + z * 2.4430881239823066e-05)
    cosine = 1.0 - (0.5 * z - z * (z * cosine))
    value = tl.where((quarter & 1) == 0, sine, cosine)
    return tl.where((quarter & 2) == 0, value, -value)
'''

_SIN = '''
@triton.jit
def _sin(x):
    """The sine, for every argument."""
    quarter, r = _quarters(x)
    value = _sine(quarter, r)
    value = tl.where(x < 0.0, -value, value)
    return tl.where(x - x == 0.0, value, float("nan"))
'''

_COS = '''
@triton.jit
def _cos(x):
    """The cosine, for every argument."""
    quarter, r = _quarters(x)
    return tl.where(x - x == 0.0, _sine(quarter + 1, r), float("nan"))
'''

_POWER = '''
@triton.jit
def _power(x, exponent):
    """x to a constant exponent that is not an integer, for x >= 0; by way of float64."""
    return tl.exp(tl.log(x.to(tl.float64)) * exponent).to(tl.float32)
'''

FUNCTIONS: dict[str, str] = {
    "_maximum": _MAXIMUM,
    "_minimum": _MINIMUM,
    "_turned": _TURNED,
    "_greatest": _GREATEST,
    "_least": _LEAST,
    "_rank": _RANK,
    "_exp": _EXP,
    "_expm1": _EXPM1,
    "_log": _LOG,
    "_log1p": _LOG1P,
    "_sigmoid": _SIGMOID,
    "_silu": _SILU,
    "_softplus": _SOFTPLUS,
    "_tanh": _TANH,
    "_erf": _ERF,
    "_gelu": _GELU,
    "_turn": _TURN,
    "_quarters": _QUARTERS,
    "_sine": _SINE,
    "_sin": _SIN,
    "_cos": _COS,
    "_power": _POWER,
}
