"""Reverse-mode automatic differentiation, whole: a value that remembers where it came from, and one walk back.

An op computes a value and, for each argument, a closure ("vjp", vector-Jacobian product) that turns the gradient of the
result into the gradient of that argument. ``differentiable`` records these closures; ``gradient`` calls them, newest
first.

    x = Var(np.array([1.0, 2.0]))
    loss = sum(multiply(x, x))
    (dx,) = gradient(loss, [x])          # [2.0, 4.0]

The graph holds closures, never values: an array lives on only if some closure needs it for the backward pass. Each op
says what it keeps; most keep little (ReLU a byte an entry), but l2_pool2 and (most) Gram matrices keep their input.
"""

from __future__ import annotations

import functools
import heapq
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from ..backend import Array, array_module
from ..errors import AutodiffError, require

Vjp = Callable[[Array], Array]


class Adding:
    """A vjp that makes a new array, or adds to one: ``vjp(g, into)``, where ``into`` is that array or None.

    Where several gradients meet, the sum then needs no array beside itself.
    """

    def __init__(self, vjp: Callable[[Array, Array | None], Array]) -> None:
        self._vjp = vjp

    def __call__(self, g: Array, into: Array | None = None) -> Array:
        return self._vjp(g, into)


class Node:
    """A place in the graph: its edges (parent, vjp) and its rank, one more than the highest rank among the parents.

    Every consumer of a node has a higher rank than the node, so going down in rank meets consumers first.
    ``edges`` is None once ``gradient`` has passed.
    """

    __slots__ = ("edges", "rank")

    def __init__(self, edges: tuple[tuple[Node, Vjp], ...]) -> None:
        self.edges: tuple[tuple[Node, Vjp], ...] | None = edges
        self.rank: int = 1 + max((parent.rank for parent, _ in edges), default=-1)


class Var:
    """An array whose gradient can be asked for.

    ``again(rows)``, if there is one, computes some rows of the array once more: for an op that would otherwise have to
    keep the array for its backward pass.
    """

    __slots__ = ("__weakref__", "again", "node", "value")

    def __init__(self, value: Array, edges: tuple[tuple[Node, Vjp], ...] = ()) -> None:
        self.value = value
        self.node = Node(edges)
        self.again: Callable[[slice], Array] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.value.shape)

    def __repr__(self) -> str:
        return f"Var(shape={self.shape}, dtype={self.value.dtype})"


def value_of(x: Any) -> Array:
    """The array itself, of a Var or of a plain array."""
    return x.value if isinstance(x, Var) else x


def differentiable(op: Callable[..., tuple[Array, tuple[Vjp, ...]]]) -> Callable[..., Any]:
    """Turn ``op(*arrays, **settings) -> (value, vjps)`` into a function of arrays and Vars.

    ``vjps`` has one function for each of the leading positional arguments that the op can be differentiated in.
    Given plain arrays the result is a plain array; given any Var it is a Var. Of the vjps only those of Vars are kept,
    and with them only what they close over.
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

    ``cotangent``, of the output's shape, weighs the output's entries; it may be left out for a scalar. An input that
    the output does not depend on gets zeros. The graph is used up: closures are let go as soon as they have been
    called, so that memory falls during the walk. Raises AutodiffError for a graph that was used before.
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
    ours: set[Node] = set()  # those whose pending array nobody else holds
    ticket = itertools.count()  # settles ties of rank, so that the heap never compares nodes
    heap = [(-output.node.rank, next(ticket), output.node)]
    while heap:
        _, _, node = heapq.heappop(heap)
        g = pending.pop(node)
        if node in wanted:
            found[node] = g
        if node.edges is None:
            raise AutodiffError("this graph was used already: gradient() frees it on its way")
        edges = node.edges
        if edges:
            node.edges = None
        for parent, vjp in edges:
            if parent not in pending:
                heapq.heappush(heap, (-parent.rank, next(ticket), parent))
            _give(vjp, g, parent, pending, ours)
        del g, edges
    return [found[x.node] if x.node in found else array_module(x.value).zeros_like(x.value) for x in inputs]


def _give(vjp: Vjp, g: Array, parent: Node, pending: dict[Node, Array], ours: set[Node]) -> None:
    """Add vjp(g) to the parent's pending gradient: in place where the array is known to be nobody else's."""
    total = pending.get(parent)
    if isinstance(vjp, Adding):
        pending[parent] = vjp(g, total if total is None or parent in ours else total.copy())
        ours.add(parent)
    elif total is not None:
        pending[parent] = total + vjp(g)
        ours.add(parent)
    else:
        pending[parent] = vjp(g)  # may be g itself, or a view of it


def checkpoint(function: Callable[[Any], Any], x: Any) -> Any:
    """``function(x)``, keeping only ``x`` for the backward pass, which computes the function once more.

    Trades time for memory (Griewank and Walther 2000). ``function`` takes one array and returns one array; whatever
    else it uses counts as constant.
    """
    return _checkpoint(x, function=function)


@differentiable
def _checkpoint(x: Array, *, function: Callable[[Any], Any]) -> tuple[Array, tuple[Vjp]]:
    def vjp(g: Array) -> Array:
        inner = Var(x)
        (dx,) = gradient(function(inner), [inner], cotangent=g)
        return dx

    return function(x), (vjp,)
