"""All that numba compiles: the passes of a step over layers and parameters, and the whole step, in float32.

Each kernel does in one pass over memory what NumPy does in several. What it computes is written to be read in
`activations.py`, `losses.py`, `optimizers.py`, `plain.py` and `nn_core.py`; here is what the usual configurations use.

It is one file, since numba looks at the date of a kernel's own file to see whether what it has on disk is of today.
"""

import math
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic, register_jitable

from activations import GELU_CUBIC, GELU_SCALE
from backends.blas import AS_IT_IS, COLUMN_MAJOR, ROW_MAJOR, TRANSPOSED
from backends.memory import LINE
from common.files import require_file
from common.words import first_line

F = np.float32
# Sums may be reordered and products fused with sums, as vector instructions want; NaN and infinity stay what they are.
OPTIONS = {"error_model": "numpy", "fastmath": {"reassoc", "contract", "nsz"}}

# Inlined, so that a kernel is one function. One that it called would be linked in one form where the kernel was just
# compiled, and in another, rounded differently, where it was read from disk.
inlined = register_jitable(**OPTIONS, forceinline=True)


class Files(IndexDataCacheFile):
    """The files of numba's cache. To open a pipe in the place of one would wait for whoever writes to it."""

    def _load_index(self):
        require_file(Path(self._index_path))
        return super()._load_index()

    def _load_data(self, name):
        require_file(Path(self._data_path(name)))
        return super()._load_data(name)


class Kept(FunctionCache):
    """numba's cache on disk. One that is torn, full or out of reach costs time, and a line, and no more."""

    def __init__(self, function):
        super().__init__(function)
        locator = self._impl.locator
        self._cache_file = Files(self.cache_path, self._impl.filename_base, locator.get_source_stamp())

    def load_overload(self, sig, target_context):
        try:
            overload = super().load_overload(sig, target_context)
        except Exception as error:  # of reading pickles that are torn, anything
            self._say(f"what numba kept of it cannot be read ({first_line(error)})")
            overload = None
        if overload is None and self._py_func.__name__ == "steps":
            self._say("compiling it, which takes some seconds, the first time only")
        return overload

    def save_overload(self, sig, data):
        try:
            try:
                super().save_overload(sig, data)
            except Exception:  # its index may be what is torn
                self.flush()
                super().save_overload(sig, data)
        except Exception as error:
            self._say(f"it cannot be kept for the next time ({first_line(error)})")

    def _say(self, what):
        print(f"numba, {self._py_func.__name__}: {what}.", file=sys.stderr)


def compiled(function):
    """The function, compiled when it is first called and kept on disk, if there is a folder for it."""
    kernel = njit(function, **OPTIONS)
    with suppress(RuntimeError):
        kernel._cache = Kept(function)
    return kernel


# ---- activations: value(a) and slope(h), and the passes over a layer that are made of them


@inlined
def _power(x):
    """s and t such that e^x = s (1 + t): s = 2^k, k whole, and 1 + t = e^r by Taylor's polynomial, |r| ≤ ½ log 2."""
    x = F(-87) if x < F(-87) else x  # comparisons that let NaN pass
    x = F(88) if x > F(88) else x
    k = np.floor(x * F(1.4426950408889634) + F(0.5))
    r = x - k * F(0.693359375) + k * F(2.12194440e-4)  # log 2 in two parts: k times the first is exact
    t = F(1 / 720)
    for c in (F(1 / 120), F(1 / 24), F(1 / 6), F(1 / 2), F(1)):
        t = t * r + c
    return np.int32((np.int32(k) + np.int32(127)) << np.int32(23)).view(F), t * r


@inlined
def _exp(x):
    s, t = _power(x)
    return s + s * t


@inlined
def _tanh(a):
    s, t = _power(F(2) * a)
    u = (s - F(1)) + s * t  # e^2a - 1, to the last digits near zero too
    return u / (u + F(2))


@inlined
def _tanh_slope(h):
    return F(1) - h * h


@inlined
def _sigmoid(a):
    return F(1) / (F(1) + _exp(-a))


@inlined
def _sigmoid_slope(h):
    return h * (F(1) - h)


@inlined
def _relu(a):
    return F(0) if a < F(0) else a


@inlined
def _relu_slope(h):
    return F(1) if h > F(0) else F(0)


@inlined
def _gelu_gate(a):
    scale = F(2 * GELU_SCALE)
    return scale * a * (F(1) + F(GELU_CUBIC) * a * a), scale * (F(1) + F(3 * GELU_CUBIC) * a * a)


@inlined
def _silu_gate(a):
    return a, F(1)


@inlined
def _slope_itself(slope):
    return slope


TANH, SIGMOID, RELU, GELU, SILU = range(5)
GATED = GELU, SILU  # h = a σ(p(a)), with a gate that gives p and p'; no slope follows from h, and it takes a's place


@inlined
def _pass_values(value, a, b):
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            a[i, j] = value(a[i, j] + b[j])


@inlined
def _pass_gates(gate, a, b, h):
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            x = a[i, j] + b[j]
            p, slope = gate(x)
            e = _exp(F(60) if p < F(-60) else -p)  # so that no product of what follows overflows
            s, rest = F(1) / (F(1) + e), e / (F(1) + e)  # which is 1 - s, without what a difference would lose
            h[i, j] = x * s
            a[i, j] = s + x * s * rest * slope


@inlined
def _pass_slopes(slope, delta, h, db):
    db[:] = F(0)
    for i in range(delta.shape[0]):
        for j in range(delta.shape[1]):
            d = delta[i, j] * slope(h[i, j])
            delta[i, j] = d
            db[j] += d


@inlined
def _activate(activation, a, b):
    if activation == TANH:
        _pass_values(_tanh, a, b)
    elif activation == SIGMOID:
        _pass_values(_sigmoid, a, b)
    else:
        _pass_values(_relu, a, b)


@inlined
def _differentiate(activation, delta, h, db):
    if activation == TANH:
        _pass_slopes(_tanh_slope, delta, h, db)
    elif activation == SIGMOID:
        _pass_slopes(_sigmoid_slope, delta, h, db)
    else:
        _pass_slopes(_relu_slope, delta, h, db)


# ---- normalization of a layer over its batch, and dropout


@compiled
def normalize(z, gain, epsilon, mean, variance, inverse, z_hat):  # (B, n), four of (n,) but for epsilon, (B, n)
    """z ← γ ∘ ẑ; fills mean and variance of each column, 1 / √(σ² + ε), and ẑ."""
    share = F(1) / F(len(z))
    mean[:], variance[:] = F(0), F(0)
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            mean[j] += z[i, j]
    mean *= share
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            variance[j] += (z[i, j] - mean[j]) * (z[i, j] - mean[j])
    variance *= share
    for j in range(z.shape[1]):
        inverse[j] = F(1) / math.sqrt(variance[j] + F(epsilon))
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            z_hat[i, j] = (z[i, j] - mean[j]) * inverse[j]
            z[i, j] = gain[j] * z_hat[i, j]


@compiled
def normalize_back(delta, z_hat, gain, inverse, db, dgain):  # two of (B, n), four of (n,)
    """δ, the loss's gradient by γ ∘ ẑ + b, becomes that by z, given db, that by b; fills that by γ."""
    share = F(1) / F(len(delta))
    dgain[:] = F(0)
    for i in range(delta.shape[0]):
        for j in range(delta.shape[1]):
            dgain[j] += delta[i, j] * z_hat[i, j]
    for i in range(delta.shape[0]):
        for j in range(delta.shape[1]):
            rest = delta[i, j] - share * (db[j] + z_hat[i, j] * dgain[j])
            delta[i, j] = gain[j] * inverse[j] * rest


@compiled
def drop(values, bits, threshold, scale):  # two of (B, n), and two numbers
    """values ← scale values where the bits reach the threshold, 0 elsewhere."""
    least, factor = np.uint16(threshold), F(scale)
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            value = factor * values[i, j]
            values[i, j] = value if bits[i, j] >= least else F(0)


# ---- images and loss


@inlined
def _gather(images, rows, x):
    for i in range(x.shape[0]):
        row = images[rows[i]]
        for j in range(x.shape[1]):
            x[i, j] = F(1 / 255) * F(row[j])


@intrinsic
def _fetch(typingctx, address):
    """Have what lies at an address brought into the cache, without waiting for it."""

    def generate(context, builder, signature, values):
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        prefetch = get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(prefetch, [builder.inttoptr(values[0], pointer), number(0), number(2), number(1)])
        return context.get_dummy_value()

    return types.void(address), generate


@inlined
def _fetch_rows(images, rows):
    for row in rows:
        start = images.ctypes.data + row * images.shape[1]
        for line in range(0, images.shape[1] + LINE, LINE):
            _fetch(start + line)


@inlined
def _cross_entropy(a, y, delta):
    loss, share = 0.0, F(1) / F(len(a))
    for i in range(a.shape[0]):
        top, total, product = a[i, 0], F(0), F(0)
        for j in range(1, a.shape[1]):
            top = a[i, j] if a[i, j] > top else top
        for j in range(a.shape[1]):
            e = _exp(a[i, j] - top)
            total += e
            product += y[i, j] * (a[i, j] - top)
            delta[i, j] = e
        loss += math.log(total) - product
        for j in range(a.shape[1]):
            delta[i, j] = share * (delta[i, j] / total - y[i, j])
    return loss / len(a)


# ---- optimizers: loops over θ, its gradient g and what the rule remembers. First `decay` times θ joins g, and there it
# stays if it is to `keep`; of most steps nobody looks at it, and not to write it is faster. Decoupled from g, `shrink`
# times θ is taken off θ: AdamW's decay.


@inlined
def _sgd(theta, gradient, u, v, decay, shrink, keep, settings):
    total, rate = F(0), F(settings[0])
    for i in range(len(theta)):
        w = theta[i]
        g = gradient[i] + decay * w
        total += decay * w * w
        if keep:
            gradient[i] = g
        theta[i] = w - rate * g
    return total


@inlined
def _momentum(theta, gradient, u, v, decay, shrink, keep, settings):
    total, momentum, rate, rate_now = F(0), F(settings[0]), F(settings[1]), F(settings[2])
    for i in range(len(theta)):
        w = theta[i]
        g = gradient[i] + decay * w
        total += decay * w * w
        if keep:
            gradient[i] = g
        u[i] = momentum * u[i] + g
        theta[i] = w - (rate * u[i] + rate_now * g)
    return total


@inlined
def _rmsprop(theta, gradient, u, v, decay, shrink, keep, settings):
    total, beta, rest, rate, epsilon = F(0), F(settings[0]), F(1 - settings[0]), F(settings[1]), F(settings[2])
    for i in range(len(theta)):
        w = theta[i]
        g = gradient[i] + decay * w
        total += decay * w * w
        gradient[i] = g  # always: without it the next line would be rounded otherwise
        v[i] = beta * v[i] + rest * g * g
        theta[i] = w - rate * g / (math.sqrt(v[i]) + epsilon)
    return total


@inlined
def _adam(theta, gradient, u, v, decay, shrink, keep, settings):
    total, beta1, beta2 = F(0), F(settings[0]), F(settings[1])
    rate, rate_now, epsilon = F(settings[2]), F(settings[3]), F(settings[4])
    for i in range(len(theta)):
        w = theta[i]
        g = gradient[i] + decay * w
        total += decay * w * w
        if keep:
            gradient[i] = g
        u[i] = beta1 * u[i] + g
        v[i] = beta2 * v[i] + g * g
        theta[i] = w - ((rate * u[i] + rate_now * g) / (math.sqrt(v[i]) + epsilon) + shrink * w)
    return total


DESCENT, MOMENTUM, RMSPROP, MOMENTS = range(4)


@inlined
def _pass(rule, theta, gradient, u, v, weights, decay, keep, settings):
    decays = F(decay), F(settings[5])
    total = rule(theta[:weights], gradient[:weights], u[:weights], v[:weights], *decays, keep, settings)
    rule(theta[weights:], gradient[weights:], u[weights:], v[weights:], F(0), F(0), keep, settings)
    return total


@inlined
def _update(rule, theta, gradient, u, v, weights, decay, keep, settings):
    if rule == DESCENT:
        return _pass(_sgd, theta, gradient, u, v, weights, decay, keep, settings)
    if rule == MOMENTUM:
        return _pass(_momentum, theta, gradient, u, v, weights, decay, keep, settings)
    if rule == RMSPROP:
        return _pass(_rmsprop, theta, gradient, u, v, weights, decay, keep, settings)
    return _pass(_adam, theta, gradient, u, v, weights, decay, keep, settings)


# ---- products of matrices, by NumPy's BLAS


DEPTH, COLUMNS = 448, 16  # of OpenBLAS for AVX-512: what it sums up at a time, and what it has in a register


@intrinsic
def _call(typingctx, address, arguments):
    """Call the C function at an address, which returns nothing, with a tuple of arguments."""

    def generate(context, builder, signature, values):
        unpacked = [builder.extract_value(values[1], i) for i in range(len(arguments))]
        kind = ir.FunctionType(ir.VoidType(), [value.type for value in unpacked]).as_pointer()
        builder.call(builder.inttoptr(values[0], kind), unpacked)
        return context.get_dummy_value()

    return types.void(address, arguments), generate


@inlined
def multiply(blas, a, a_turned, b, b_turned, c):
    """c = a b, of either the transpose where it is turned: as `ndarray.dot` has it done, so to the same bits."""
    if len(c) == 1 and not a_turned:
        return _combine(blas, a, b, b_turned, c)
    ta, tb = np.int32(TRANSPOSED if a_turned else AS_IT_IS), np.int32(TRANSPOSED if b_turned else AS_IT_IS)
    m, n, inner = c.shape[0], c.shape[1], a.shape[0] if a_turned else a.shape[1]
    width, k = 0 if b_turned else _width(blas[2], m, n, inner), 0
    while k < inner:
        depth = _depth(inner - k) if width else inner
        for j in range(0, n, width or n):
            pa, pb = _at(a, k, 0) if a_turned else _at(a, 0, k), _at(b, 0, k) if b_turned else _at(b, k, j)
            arguments = pa, a.shape[1], pb, b.shape[1], F(0) if k == 0 else F(1), _at(c, 0, j), n
            _call(blas[0], (np.int32(ROW_MAJOR), ta, tb, m, min(width or n, n - j), depth, F(1), *arguments))
        k += depth


@inlined
def _at(matrix, row, column):
    return matrix.ctypes.data + matrix.itemsize * (row * matrix.shape[1] + column)


@inlined
def _width(small, m, n, inner):
    """How wide the pieces are into which a product of (m, inner) and (inner, n) is cut; 0, if that does not pay.

    OpenBLAS copies what it multiplies first, unless that is small. Where the whole is not much larger, pieces that are
    small take less time. Those that fill no register to its end would be summed up otherwise.
    """
    pays = small < m * n * inner <= 8 * small and n % COLUMNS == 0
    return small // (m * min(inner, DEPTH)) // COLUMNS * COLUMNS if pays else 0


@inlined
def _depth(inner):
    """Over how many of so many terms OpenBLAS sums up at a time: pieces do likewise, and come to the same bits."""
    half = -(-(inner // 2) // COLUMNS) * COLUMNS
    return inner if inner <= DEPTH else DEPTH if inner >= 2 * DEPTH else half


@inlined
def _combine(blas, x, b, turned, y):
    """y = x b for a vector x: the sum of the rows of b, x times each; or of its columns, where it is turned."""
    rows, columns = (b.shape[1], b.shape[0]) if turned else b.shape
    order, pb = np.int32(COLUMN_MAJOR if turned else ROW_MAJOR), b.ctypes.data
    px, py, one = x.ctypes.data, y.ctypes.data, 1
    _call(blas[1], (order, np.int32(TRANSPOSED), rows, columns, F(1), pb, b.shape[1], px, one, F(0), py, one))


# ---- what is called from Python


@compiled
def gather(images, rows, x):  # (n, n_0), (B,), (B, n_0)
    _gather(images, rows, x)


@compiled
def activate(activation, a, b):  # (B, n), (n,)
    _activate(activation, a, b)


@compiled
def activate_gated(activation, a, b, h):  # (B, n), (n,), (B, n)
    if activation == GELU:
        _pass_gates(_gelu_gate, a, b, h)
    else:
        _pass_gates(_silu_gate, a, b, h)


@compiled
def differentiate(activation, delta, h, db):  # (B, n), (B, n), (n,); of the GATED, slopes for h
    if activation in GATED:
        _pass_slopes(_slope_itself, delta, h, db)
    else:
        _differentiate(activation, delta, h, db)


@compiled
def cross_entropy(a, y, delta):  # all (B, classes)
    return _cross_entropy(a, y, delta)


@compiled
def update(rule, theta, gradient, u, v, weights, decay, settings):  # four of (n,), and how many weights come first
    return _update(rule, theta, gradient, u, v, weights, decay, decay != 0.0, settings)  # decay Σ W²


# ---- whole steps


@inlined
def _matrix(vector, start, rows, columns):
    return vector[start : start + rows * columns].reshape(rows, columns)


@inlined
def _layer(vector, sizes, k):
    """W_kᵀ (n_(k-1), n_k) and b_k (n_k,), views into θ, or those into its gradient."""
    W, b = 0, len(vector)
    for j in range(1, k):
        W += sizes[j - 1] * sizes[j]
    for j in range(k, len(sizes)):
        b -= sizes[j]
    return _matrix(vector, W, sizes[k - 1], sizes[k]), vector[b : b + sizes[k]]


@inlined
def _forward(blas, activation, theta, sizes, x, h):
    """Fill h with h_1 ... h_(L-1) and a_L of a batch, one after another. Returns a_L (B, n_L)."""
    below, start = x, 0
    for k in range(1, len(sizes)):
        W, b = _layer(theta, sizes, k)
        a = _matrix(h, start, len(x), sizes[k])
        multiply(blas, below, False, W, False, a)
        if k < len(sizes) - 1:
            _activate(activation, a, b)
        else:
            _add(a, b)
        below, start = a, start + a.size
    return below


@inlined
def _add(a, b):
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            a[i, j] += b[j]


@inlined
def _backward(blas, activation, theta, gradient, sizes, x, h, delta, room):
    """Fill the gradient, from the loss's by a_L, in delta. `room` is for the others, two of them at a time."""
    top, end = len(sizes) - 1, h.size - delta.size
    _combine(blas, np.ones(len(delta), F), delta, False, _layer(gradient, sizes, top)[1])
    for k in range(top, 0, -1):
        end -= len(x) * sizes[k - 1]
        below = x if k == 1 else _matrix(h, end, len(x), sizes[k - 1])
        multiply(blas, below, True, delta, False, _layer(gradient, sizes, k)[0])
        if k > 1:
            above, delta = delta, _matrix(room, k % 2 * (len(room) // 2), len(x), sizes[k - 1])
            multiply(blas, above, False, _layer(theta, sizes, k)[0], True, delta)
            _differentiate(activation, delta, below, _layer(gradient, sizes, k - 1)[1])


@inlined
def _count_correct(a, labels):
    count = 0
    for i in range(len(a)):
        best = 0
        for j in range(1, a.shape[1]):
            best = j if a[i, j] > a[i, best] else best
        count += best == labels[i]
    return count


@compiled
def steps(blas, activation, rule, sizes, size, images, rows, x, labels, vectors, weights, decay, settings, losses):
    """Steps of training, one for each of `losses`, as `nn_core.py` has them in words.

    sizes (L + 1,) of layers; size of a batch; images (n, n_0) as bytes, of which the `rows` (m,) are used, or none, and
    x (m, n_0) has them; labels (m,); vectors: θ, its gradient, u and v, (n,) each; settings: a row for each step.

    Leaves in `losses` that of each batch. Returns how many steps were done, the last of which may have led to a loss
    that is not finite, and how many examples were classified correctly.
    """
    theta, gradient, u, v = vectors
    classes, correct = sizes[-1], 0
    batch = np.empty((size if len(images) else 0, sizes[0]), F)
    h, room = np.empty(size * sizes[1:].sum(), F), np.empty(2 * size * sizes[1:].max(), F)
    for step in range(len(losses)):
        chosen = slice(step * size, min((step + 1) * size, len(labels)))
        truth = labels[chosen]
        n = len(truth)
        y = np.zeros((n, classes), F)
        for i in range(n):
            y[i, truth[i]] = F(1)
        below = batch[:n] if len(images) else x[chosen]
        if len(images):
            _gather(images, rows[chosen], below)
            _fetch_rows(images, rows[chosen.stop : chosen.stop + size])  # of the next step, while this one computes
        a = _forward(blas, activation, theta, sizes, below, h)
        delta = np.empty_like(a)
        loss = _cross_entropy(a, y, delta)
        _backward(blas, activation, theta, gradient, sizes, below, h[: n * sizes[1:].sum()], delta, room)
        losses[step] = loss + 0.5 * _update(
            rule, theta, gradient, u, v, weights, decay, step == len(losses) - 1, settings[step]
        )
        correct += _count_correct(a, truth)
        if not math.isfinite(losses[step]):
            return step + 1, correct
    return len(losses), correct
