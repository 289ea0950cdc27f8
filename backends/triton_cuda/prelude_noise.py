"""Random draws as Triton text: Philox4x32-10 with the keys and counters of `gendsl.noise`.

In: nothing. Out: `FUNCTIONS`, name -> text. Every draw is a function of (key words, step words,
example, element) and of nothing else, so it is computed where it is used, as often as it is used.
Integers equal those of the CPU target bit for bit; so do uniforms. Normals differ by rounding: the
CPU target computes them in float64, these work in float32 from the exact words.

Note [Words as arguments]: the key and step arrive as int32 or uint32 with the bits of the word.
`example` is the global index of the example (0 without an example axis), `element` the row-major
place within the example: see Note [Keys and counters] of `gendsl.noise`.
"""

from __future__ import annotations

_PHILOX = '''
@triton.jit
def _philox(key0, key1, step0, step1, example, block):
    """The four words of a counter block."""
    c0 = block.to(tl.uint32)
    c1 = example.to(tl.uint32) + tl.zeros_like(c0)
    c2 = step0.to(tl.uint32) + tl.zeros_like(c0)
    c3 = step1.to(tl.uint32) + tl.zeros_like(c0)
    k0 = key0.to(tl.uint32)
    k1 = key1.to(tl.uint32)
    for _ in tl.static_range(10):
        first = c0.to(tl.uint64) * 0xD2511F53
        third = c2.to(tl.uint64) * 0xCD9E8D57
        c0 = (third >> 32).to(tl.uint32) ^ c1 ^ k0
        c1 = third.to(tl.uint32)
        c2 = (first >> 32).to(tl.uint32) ^ c3 ^ k1
        c3 = first.to(tl.uint32)
        k0 = (k0.to(tl.uint64) + 0x9E3779B9).to(tl.uint32)
        k1 = (k1.to(tl.uint64) + 0xBB67AE85).to(tl.uint32)
    return c0, c1, c2, c3
'''

_WORD = '''
@triton.jit
def _word(key0, key1, step0, step1, example, element):
    """The word of one element: word `element % 4` of block `element // 4`."""
    w0, w1, w2, w3 = _philox(key0, key1, step0, step1, example, element >> 2)
    even = tl.where((element & 2) == 0, w0, w2)
    odd = tl.where((element & 2) == 0, w1, w3)
    return tl.where((element & 1) == 0, even, odd)
'''

_BITS = '''
@triton.jit
def _bits(key0, key1, step0, step1, example, element, bound):
    """An index below `bound`: the high half of word times bound."""
    word = _word(key0, key1, step0, step1, example, element)
    return ((word.to(tl.uint64) * bound) >> 32).to(tl.int32)
'''

_UNIT = '''
@triton.jit
def _unit(word):
    """On (0, 1): (word + 1/2) / 2^32, rounded once, and never 1."""
    value = ((word.to(tl.float64) + 0.5) * 2.3283064365386963e-10).to(tl.float32)
    return tl.minimum(value, 0.9999999403953552)
'''

_UNIFORM = '''
@triton.jit
def _uniform(key0, key1, step0, step1, example, element):
    """Uniform on (0, 1)."""
    return _unit(_word(key0, key1, step0, step1, example, element))
'''

_BELL = '''
@triton.jit
def _bell(first, second, odd):
    """Box and Muller (1958): a radius from one word, a cosine or (odd) a sine from the other."""
    # log u with u = (first + 1/2) / 2^32, from 1 - u where u is near 1: float32 has no such u
    upper = first >= 0x80000000
    rest = tl.where(upper, first ^ 0xFFFFFFFF, first).to(tl.float32)
    part = (rest + 0.5) * 2.3283064365386963e-10
    radius = tl.sqrt(-2.0 * tl.where(upper, _log1p(-part), _log(part)))
    # the angle as quarter turns and a signed remainder, both exact in the bits of the word
    quarter = ((second.to(tl.uint64) + 0x20000000) >> 30).to(tl.int32)
    signed = (second << 2).to(tl.int32, bitcast=True).to(tl.float32)
    return radius * _sine(quarter + 1 - odd, (signed + 2.0) * 3.657295198167899e-10)
'''

_NORMAL = '''
@triton.jit
def _normal(key0, key1, step0, step1, example, element):
    """Normal with mean 0 and variance 1: words (0, 1) give two values, words (2, 3) likewise."""
    w0, w1, w2, w3 = _philox(key0, key1, step0, step1, example, element >> 2)
    first = tl.where((element & 2) == 0, w0, w2)
    second = tl.where((element & 2) == 0, w1, w3)
    return _bell(first, second, (element & 1).to(tl.int32))
'''

FUNCTIONS: dict[str, str] = {
    "_philox": _PHILOX,
    "_word": _WORD,
    "_bits": _BITS,
    "_unit": _UNIT,
    "_uniform": _UNIFORM,
    "_bell": _BELL,
    "_normal": _NORMAL,
}
