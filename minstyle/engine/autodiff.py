"""Reverse-mode automatic differentiation, the whole of it: values that record how they were made, and one walk back.

An op computes a value and, for each argument, a closure ("vjp", vector-Jacobian product) that turns the gradient of the
result into the gradient of that argument. ``differentiable`` records these closures; ``gradient`` calls them from the
output back, those of an op only after those of all its consumers.

    from minstyle.engine.ops import reduce_sum

    x = Var(np.array([1.0, 2.0]))
    loss = reduce_sum(x * x)
    (dx,) = gradient(loss, [x])          # [2.0, 4.0]

The graph holds closures, not values: an array lives on only while a closure that needs it for the backward pass does.
Each op's docstring says what its closures keep. For most that is little: ``add`` and ``scale`` keep nothing, ``relu`` a
byte per entry, ``conv_relu`` on the CPU a bit. ``l2_pool2`` and, in general, ``gram`` keep their whole input.
"""

from __future__ import annotations

import functools
import heapq
import itertools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from ..backend import Array, array_module
from ..errors import AutodiffError, require

Vjp = Callable[[Array], Array]
ValueAndVjps = tuple[Array, tuple[Vjp, ...]]  # what an op returns before ``differentiable`` wraps it


class Accumulating:
    """A vjp that can add its result to an existing array: ``vjp(g, into)``.

    It returns ``into`` after adding to it in place, or a new array if ``into`` is None. Where the gradients of several
    consumers of one value are summed, this saves a temporary array for each.
    """

    def __init__(self, vjp: Callable[[Array, Array | None], Array]) -> None:
        self._vjp = vjp

    def __call__(self, g: Array, into: Array | None = None) -> Array:
        return self._vjp(g, into)


class Node:
    """A node of the graph: its edges (parent, vjp), and its rank, which is one more than its parents' highest.

    A parent is the node of an argument of the op. Every consumer of a node has a higher rank than the node, so a walk
    in descending rank meets all consumers first. ``edges`` is None once ``gradient`` has passed.
    """

    __slots__ = ("edges", "rank")

    def __init__(self, edges: tuple[tuple[Node, Vjp], ...]) -> None:
        self.edges: tuple[tuple[Node, Vjp], ...] | None = edges
        self.rank: int = 1 + max((parent.rank for parent, _ in edges), default=-1)


class Var:
    """An array that can be differentiated with respect to.

    ``recompute(rows)``, where it is set, computes some rows of the array anew: an op that needs the array in its
    backward pass can call it there instead of keeping the array (set by ``conv_relu``, used by ``gram``). The operators
    + - * @ are installed by ``ops.operators``.
    """

    __slots__ = ("__weakref__", "node", "recompute", "value")
    __array_ufunc__: ClassVar[None] = None  # NumPy and CuPy arrays then leave ``array - var`` to __rsub__

    __add__: ClassVar[Callable[[Var, Any], Var]]
    __radd__: ClassVar[Callable[[Var, Any], Var]]
    __sub__: ClassVar[Callable[[Var, Any], Var]]
    __rsub__: ClassVar[Callable[[Var, Any], Var]]
    __mul__: ClassVar[Callable[[Var, Any], Var]]
    __rmul__: ClassVar[Callable[[Var, Any], Var]]
    __matmul__: ClassVar[Callable[[Var, Any], Var]]
    __rmatmul__: ClassVar[Callable[[Var, Any], Var]]
    __neg__: ClassVar[Callable[[Var], Var]]

    def __init__(self, value: Array, edges: tuple[tuple[Node, Vjp], ...] = ()) -> None:
        self.value = value
        self.node = Node(edges)
        self.recompute: Callable[[slice], Array] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.value.shape)

    def __repr__(self) -> str:
        return f"Var(shape={self.shape}, dtype={self.value.dtype})"


def value_of(x: Any) -> Array:
    """The array of a Var; a plain array is returned as it is."""
    return x.value if isinstance(x, Var) else x


def differentiable(op: Callable[..., ValueAndVjps]) -> Callable[..., Any]:
    """Turn ``op(*arrays, **settings) -> (value, vjps)`` into a function of arrays and Vars.

    ``vjps`` has one function for each of the leading positional arguments. Those after them are not differentiable:
    a Var there raises AutodiffError. Given plain arrays the result is a plain array; given any Var it is a Var. Only
    the vjps of arguments that are Vars are kept, with what they close over.
    """

    @functools.wraps(op)
    def apply(*args: Any, **settings: Any) -> Any:
        value, vjps = op(*map(value_of, args), **settings)
        for position, arg in enumerate(args):
            if isinstance(arg, Var) and position >= len(vjps):
                raise AutodiffError(f"{op.__name__} is not differentiable in argument {position}")
        edges = tuple((arg.node, vjp) for arg, vjp in zip(args, vjps, strict=False) if isinstance(arg, Var))
        return Var(value, edges) if edges else value

    return apply


def gradient(output: Var, inputs: Sequence[Var], cotangent: Array | None = None) -> list[Array]:
    """The gradient of ``output`` with respect to each of ``inputs``, arrays of the inputs' shapes.

    ``cotangent``, of the output's shape, is the gradient to start from; a scalar output needs none (it is 1). An input
    that the output does not depend on gets zeros. The walk uses the graph up: each closure is released once called, so
    memory falls on the way. Raises AutodiffError for a graph that was used before or a missing cotangent, ShapeError
    for a cotangent of another shape.
    """
    if cotangent is None:
        if output.shape != ():
            raise AutodiffError(f"gradient of a {output.shape} array needs a cotangent of that shape")
        cotangent = array_module(output.value).ones_like(output.value)
    require(cotangent.shape == output.shape, "gradient: cotangent", output.shape, cotangent.shape)
    cotangent = cotangent.astype(output.value.dtype)
    wanted = {x.node for x in inputs}
    found: dict[Node, Array] = {}
    pending: dict[Node, Array] = {output.node: cotangent}
    owned: set[Node] = set()  # nodes whose pending array nobody else refers to: it may be added to in place
    ticket = itertools.count()  # breaks ties of rank, so that the heap never compares nodes
    heap = [(-output.node.rank, next(ticket), output.node)]
    while heap:
        _, _, node = heapq.heappop(heap)
        g = pending.pop(node)
        if node in wanted:
            found[node] = g
        if node.edges is None:
            raise AutodiffError("this graph has been used already: gradient() frees it as it goes")
        edges = node.edges
        if edges:
            node.edges = None
        for parent, vjp in edges:
            if parent not in pending:
                heapq.heappush(heap, (-parent.rank, next(ticket), parent))
            _accumulate(vjp, g, parent, pending, owned)
        del g, edges
    return [found[x.node] if x.node in found else array_module(x.value).zeros_like(x.value) for x in inputs]


def _accumulate(vjp: Vjp, g: Array, parent: Node, pending: dict[Node, Array], owned: set[Node]) -> None:
    """Add vjp(g) to the parent's pending gradient, in place where that array is owned."""
    total = pending.get(parent)
    if isinstance(vjp, Accumulating):
        pending[parent] = vjp(g, total if total is None or parent in owned else total.copy())
        owned.add(parent)
    elif total is not None:
        pending[parent] = total + vjp(g)
        owned.add(parent)
    else:
        pending[parent] = vjp(g)  # may be g itself, or a view of it
