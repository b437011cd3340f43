"""Sixteen float32 lanes as one value inside numba functions.

A compiler asked to vectorise `for lane in range(16)` keeps sums in memory or gives up on the way; a
value that *is* a vector stays in registers. `Lanes` is an LLVM `<16 x float>`: LLVM legalises it to
whatever the processor has (one AVX-512 register, two AVX registers, four NEON registers), so the
same file runs everywhere. Only what the kernels need is here:

    load(array, i), store(array, i, v)   lanes i·16 … i·16+15 of a flat float32 array of `aligned`
    entry(array, i)                      the scalar array[i]
    splat(x), a + b, a - b, a * b, a / b, fma(a, b, c), where_positive(h, a, b), total(v)
    logistic2(t) = 1 / (1 + 2^t)         sigmoid(z) = logistic2(MINUS_LOG2_E · z); absolute error
                                         below 2e-7
    logistic(z), absolute(z)
    tanh(z), exp_expm1(z)                relative errors below 5e-7, however small z is
    exp(z)                               relative error below 4e-7 for |z| < 10
    add(array, i, v)                     lanes i of the array += v

Scalars mix with lanes in arithmetic: they are spread over all lanes.
"""

import operator

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

LANES = 16
MINUS_LOG2_E = -1.4426950408889634

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_BITS = ir.VectorType(ir.IntType(32), LANES)
_INT32 = ir.IntType(32)


class LanesType(types.Type):
    """numba's name for the vector value."""

    def __init__(self) -> None:
        super().__init__(name=f"Lanes{LANES}")


lanes = LanesType()


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type) -> None:
        super().__init__(manager, fe_type, _VECTOR)


def aligned(size: int) -> np.ndarray:
    """An uninitialised float32 array of `size` numbers that starts on a 64-byte boundary, as `load`
    and `store` require."""
    raw = np.empty(size + LANES, np.float32)
    start = (-(raw.ctypes.data // 4)) % LANES
    return raw[start : start + size]


aligned_scratch = njit(inline="always")(aligned)
# For functions that only compiled functions call: without an entry for Python they compile a fifth
# quicker.
compiled = njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)


def _constant(x: float) -> ir.Constant:
    return ir.Constant(_VECTOR, [x] * LANES)


def _spread(builder, scalar):
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(_INT32, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(_BITS, [0] * LANES))


def _as_lanes(context, builder, kind, value):
    if isinstance(kind, LanesType):
        return value
    return _spread(builder, context.cast(builder, value, kind, types.float32))


def _llvm(builder, name: str, result, arguments, fastmath=()):
    signature = ir.FunctionType(result, [a.type for a in arguments])
    return builder.call(
        cgutils.get_or_insert_function(builder.module, signature, name),
        arguments,
        fastmath=fastmath,
    )


def _address(context, builder, array_type, array, index_type, index):
    data = context.make_array(array_type)(context, builder, array).data
    index = context.cast(builder, index, index_type, types.intp)
    address = builder.gep(data, [builder.mul(index, ir.Constant(index.type, LANES))])
    return builder.bitcast(address, _VECTOR.as_pointer())


@intrinsic
def load(typingctx, array, i):
    """Lanes i of a flat, aligned float32 array."""

    def codegen(context, builder, sig, args):
        value = builder.load(_address(context, builder, sig.args[0], args[0], sig.args[1], args[1]))
        value.align = 4 * LANES
        return value

    return lanes(array, i), codegen


@intrinsic
def store(typingctx, array, i, value):
    """Write lanes i of a flat, aligned float32 array."""

    def codegen(context, builder, sig, args):
        value = _as_lanes(context, builder, sig.args[2], args[2])
        written = builder.store(
            value, _address(context, builder, sig.args[0], args[0], sig.args[1], args[1])
        )
        written.align = 4 * LANES
        return context.get_dummy_value()

    return types.void(array, i, value), codegen


@intrinsic
def entry(typingctx, array, i):
    """array[i] of a flat array without Python's negative indices, whose test would stand in every
    inner loop."""
    result = types.intp if isinstance(array.dtype, types.Integer) else array.dtype

    def codegen(context, builder, sig, args):
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        index = context.cast(builder, args[1], sig.args[1], types.intp)
        return context.cast(
            builder, builder.load(builder.gep(data, [index])), sig.args[0].dtype, result
        )

    return result(array, i), codegen


@intrinsic
def splat(typingctx, x):
    """The scalar x in every lane."""

    def codegen(context, builder, sig, args):
        return _as_lanes(context, builder, sig.args[0], args[0])

    return lanes(x), codegen


@intrinsic
def fma(typingctx, a, b, c):
    """a·b + c, rounded once."""

    def codegen(context, builder, sig, args):
        values = [
            _as_lanes(context, builder, kind, x) for kind, x in zip(sig.args, args, strict=True)
        ]
        return _llvm(builder, f"llvm.fma.v{LANES}f32", _VECTOR, values)

    return lanes(a, b, c), codegen


@intrinsic
def where_positive(typingctx, h, a, b):
    """a where h > 0, else b."""

    def codegen(context, builder, sig, args):
        h, a, b = (
            _as_lanes(context, builder, kind, x) for kind, x in zip(sig.args, args, strict=True)
        )
        return builder.select(builder.fcmp_ordered(">", h, _constant(0.0)), a, b)

    return lanes(h, a, b), codegen


@intrinsic
def total(typingctx, value):
    """The sum of the lanes, as a tree of fixed shape."""

    def codegen(context, builder, sig, args):
        name = f"llvm.vector.reduce.fadd.v{LANES}f32"
        zero = ir.Constant(ir.FloatType(), -0.0)
        return _llvm(builder, name, ir.FloatType(), [zero, args[0]], fastmath=("reassoc",))

    return types.float32(value), codegen


# 2^f on [−½, ½], the constant term fixed at 1: a least-maximum fit, relative error 1.9e-7 in
# float32.
_EXP2 = (
    0.6931470036506653,
    0.24022242426872253,
    0.05550733581185341,
    0.009671512991189957,
    0.001326472731307149,
)
# (2^f − 1)/f on [−½, ½], the constant term fixed at ln 2: so 2^f − 1 keeps its digits where f is
# small. A least-maximum fit, relative error 1.3e-7 in float32.
_EXP2_MINUS_1 = (
    0.6931471824645996,
    0.24022649228572845,
    0.055503666400909424,
    0.009618247859179974,
    0.0013387766666710377,
    0.00015398397226817906,
)
_ROUND = 12582912.0  # 1.5·2^23: adding it leaves the nearest integer in the low bits of the float


def _power_of_two(builder, t):
    """2^t, lane by lane; NaN stays NaN."""
    rounded, f = _whole_and_rest(builder, t)
    return _scaled(builder, _polynomial(builder, (1.0, *_EXP2), f), rounded)


def _whole_and_rest(builder, t):
    """n + _ROUND and f of t = n + f, n whole and |f| ≤ ½; t is clamped to ±126, NaN stays NaN in
    f."""
    # The exponent must stay a normal float's; "unordered" comparisons let a NaN through unclamped.
    t = builder.select(builder.fcmp_unordered("<", t, _constant(126.0)), t, _constant(126.0))
    t = builder.select(builder.fcmp_unordered(">", t, _constant(-126.0)), t, _constant(-126.0))
    rounded = builder.fadd(t, _constant(_ROUND))
    return rounded, builder.fsub(t, builder.fsub(rounded, _constant(_ROUND)))


def _polynomial(builder, coefficients, f):
    """Σ coefficients[k] f^k."""
    p = _constant(coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        p = _llvm(builder, f"llvm.fma.v{LANES}f32", _VECTOR, [p, f, _constant(coefficient)])
    return p


def _scaled(builder, p, rounded):
    """p·2^n, from n + _ROUND."""
    exponent = builder.shl(builder.bitcast(rounded, _BITS), ir.Constant(_BITS, [23] * LANES))
    return builder.bitcast(builder.add(builder.bitcast(p, _BITS), exponent), _VECTOR)


@intrinsic
def logistic2(typingctx, t):
    """1 / (1 + 2^t), lane by lane; NaN stays NaN."""

    def codegen(context, builder, sig, args):
        return builder.fdiv(
            _constant(1.0), builder.fadd(_power_of_two(builder, args[0]), _constant(1.0))
        )

    return lanes(t), codegen


@intrinsic
def exp2(typingctx, t):
    """2^t, lane by lane, for t clamped to ±126."""

    def codegen(context, builder, sig, args):
        return _power_of_two(builder, args[0])

    return lanes(t), codegen


@intrinsic
def _powers(typingctx, t):
    """2^n and 2^f − 1 of t = n + f, n whole and |f| ≤ ½."""

    def codegen(context, builder, sig, args):
        rounded, f = _whole_and_rest(builder, args[0])
        rest = builder.fmul(_polynomial(builder, _EXP2_MINUS_1, f), f)
        power = _scaled(builder, _constant(1.0), rounded)
        return context.make_tuple(builder, sig.return_type, [power, rest])

    return types.UniTuple(lanes, 2)(t), codegen


@intrinsic
def absolute(typingctx, z):
    """|z|, lane by lane."""

    def codegen(context, builder, sig, args):
        return _llvm(builder, f"llvm.fabs.v{LANES}f32", _VECTOR, [args[0]])

    return lanes(z), codegen


def _binary(instruction: str):
    @intrinsic
    def operation(typingctx, a, b):
        def codegen(context, builder, sig, args):
            a, b = (
                _as_lanes(context, builder, kind, x) for kind, x in zip(sig.args, args, strict=True)
            )
            return getattr(builder, instruction)(a, b)

        return lanes(a, b), codegen

    return operation


def _give_operator(symbol, operation) -> None:
    @overload(symbol)
    def implementation(a, b):
        if isinstance(a, LanesType) or isinstance(b, LanesType):
            return lambda a, b: operation(a, b)
        return None


for _symbol, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _give_operator(_symbol, _binary(_instruction))


_SLOPE = np.float32(MINUS_LOG2_E)


@compiled
def logistic(z):
    """sigmoid(z)."""
    return logistic2(z * _SLOPE)


@compiled
def tanh(z):
    """tanh(z), from E = e^2z − 1 as E/(E + 2); relative error below 5e-7."""
    power, rest = _powers(z * (np.float32(-2.0) * _SLOPE))
    above_one = fma(power, rest, power - np.float32(1.0))
    return above_one / (above_one + np.float32(2.0))


@compiled
def exp_expm1(z):
    """e^z and e^z − 1; relative error of both below 5e-7 for |z| < 10."""
    power, rest = _powers(z * -_SLOPE)
    return fma(power, rest, power), fma(power, rest, power - np.float32(1.0))


@compiled
def exp(z):
    """e^z; relative error below 4e-7 for |z| < 10."""
    return exp2(z * -_SLOPE)


@compiled
def add(array, i, value):
    """Lanes i of the array += value."""
    store(array, i, load(array, i) + value)
