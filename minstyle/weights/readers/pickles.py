"""Read pickles without trusting them: a file can name nothing but arrays, tensors, dictionaries, numbers and texts.

Shared by the readers of PyTorch's, JAX's and NumPy's files. A pickle is a program for a stack machine:

- Names. It may call a handful of names only, each replaced by a stand-in of ours that holds numbers and does nothing:
  NumPy's arrays and types, PyTorch's storages and functions that rebuild tensors, OrderedDict. All other names are
  refused, so that no code of the file's choice runs.
- Opcodes. They are read through before anything runs: only those that build dictionaries of arrays are admitted, and
  no more of them than a network needs, so that a file cannot exhaust memory or stack.
- Arguments. Stand-ins are called and given state only as NumPy and PyTorch do it, and they check the types of what
  they are given before it is compared, hashed or printed: a tuple of twice the same tuple, nested forty deep, has 200
  bytes in the file and takes for ever to hash.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from collections.abc import Callable
from typing import Any, BinaryIO, ClassVar

import numpy as np

from ...errors import WeightsError

MAX_STEPS = 20_000  # VGG16's 26 arrays take about 700
_STEPS = {
    "PROTO", "FRAME", "STOP", "MARK", "EMPTY_DICT", "SETITEM", "SETITEMS", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2",
    "TUPLE3", "EMPTY_LIST", "APPEND", "APPENDS", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1",
    "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES",
    "BINBYTES8", "BYTEARRAY8", "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD", "BINPERSID", "BINPUT", "LONG_BINPUT",
    "MEMOIZE", "BINGET", "LONG_BINGET",
}  # fmt: skip
_DTYPES = {"f2": np.float16, "f4": np.float32, "f8": np.float64}
_STORAGES = {"HalfStorage": np.float16, "FloatStorage": np.float32, "DoubleStorage": np.float64}
# Tensors of these types may stand beside the wanted ones; their numbers are never read.
_OTHER_STORAGES = {"LongStorage": np.int64, "IntStorage": np.int32, "ByteStorage": np.uint8, "BoolStorage": np.bool_}


def _as_shape(value: Any) -> tuple[int, ...]:
    """``value``, if it is a shape; raises WeightsError, without printing what it is instead."""
    if not isinstance(value, tuple) or len(value) > 8 or not all(type(n) is int and 0 <= n < 1 << 40 for n in value):
        raise WeightsError("an array or a tensor of no proper shape")
    return value


class _DType:
    """Stand-in for numpy.dtype: a float type of little or big endian, or objects."""

    def __init__(self, code: Any, *_: Any) -> None:
        if not isinstance(code, str):
            raise WeightsError("an array type without a name")
        self.objects = code in ("O", "O8")
        if code not in _DTYPES and not self.objects:
            raise WeightsError(f"expected floating-point arrays, got type {code!r}")
        self.dtype = np.dtype(_DTYPES.get(code, np.float32))

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.dtype = self.dtype.newbyteorder(">" if state[1] == ">" else "<")


class PickledArray:
    """Stand-in for numpy.ndarray: takes its state and checks that the bytes are as many as the shape says.

    ``values`` is an array of floats; of an array of objects, the object (if it has no axes) or the list of them.
    """

    def __init__(self, *_: Any) -> None:
        self.values: Any = np.empty(0, dtype=np.float32)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, data = state
        self._take(shape, dtype, "F" if fortran else "C", data)

    def _take(self, shape: Any, dtype: Any, order: Any, data: Any) -> None:
        shape = _as_shape(shape)
        if isinstance(dtype, _DType) and dtype.objects and isinstance(data, list) and len(data) == math.prod(shape):
            self.values = data[0] if shape == () else data
            return
        if isinstance(data, str):  # bytes as Python 2 wrote them
            data = data.encode("latin1")
        if not isinstance(dtype, _DType) or dtype.objects or not isinstance(data, bytes | bytearray):
            raise WeightsError("expected arrays of plain floating-point numbers")
        if len(data) != math.prod(shape) * dtype.dtype.itemsize:
            raise WeightsError(f"array of shape {shape}: expected as many bytes, got {len(data)}")
        values = np.frombuffer(data, dtype=dtype.dtype).reshape(shape, order="F" if order == "F" else "C")
        self.values = values.astype(dtype.dtype.newbyteorder("="), copy=False)


class _FromBuffer(PickledArray):
    """Stand-in for NumPy's rebuilder in protocol 5, which is handed everything at once."""

    def __init__(self, data: Any, dtype: Any, shape: Any, order: Any) -> None:
        self._take(shape, dtype, order, data)


class _Encoded(bytes):
    """Stand-in for codecs.encode, by which protocol 2 writes bytes as text."""

    def __new__(cls, text: Any, encoding: Any) -> _Encoded:
        if not isinstance(text, str) or encoding != "latin1":
            raise WeightsError("expected bytes as a text in latin1")
        return super().__new__(cls, text.encode("latin1"))


class _OrderedDict(dict[Any, Any]):
    """Stand-in for collections.OrderedDict; the attributes that PyTorch sets on it (``_metadata``) are ignored."""

    def __init__(self, items: Any = ()) -> None:
        pairs = isinstance(items, list | tuple) and all(isinstance(i, list | tuple) and len(i) == 2 for i in items)
        if not pairs or not all(type(key) in _KEYS for key, _ in items):
            raise WeightsError("expected an ordered dictionary of pairs")
        super().__init__(items)  # all at once, as Python 2 wrote it

    def __setstate__(self, state: Any) -> None:
        pass


class Storage:
    """Stand-in for a PyTorch storage: its key in the file, type and length. Whoever needs its numbers reads them."""

    def __init__(self, key: str, dtype: np.dtype[Any], length: int) -> None:
        if length < 0:
            raise WeightsError(f"storage {key!r}: a length of {length}")
        self.key, self.dtype, self.length = key, dtype, length


class Tensor:
    """Stand-in for a PyTorch tensor: a view of a storage, checked to lie within it."""

    def __init__(self, storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> None:
        if not isinstance(storage, Storage):
            raise WeightsError("a tensor without a storage")
        shape, strides, (offset,) = _as_shape(shape), _as_shape(strides), _as_shape((offset,))
        if len(shape) != len(strides):
            raise WeightsError(f"a tensor of no proper shape: {shape}, strides {strides}")
        last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
        if math.prod(shape) > storage.length or (math.prod(shape) and last >= storage.length):
            raise WeightsError(f"tensor of shape {shape}: larger than its storage of {storage.length} numbers")
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def view(self, numbers: np.ndarray) -> np.ndarray:
        """The tensor's values, given all the numbers of its storage."""
        strides = tuple(stride * numbers.itemsize for stride in self.strides)
        view = np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, strides, writeable=False)
        return view.astype(numbers.dtype.newbyteorder("="), copy=False)


def _parameter(data: Any, *_: Any) -> Any:
    return data


_KEYS = (str, int)  # of dictionaries
_ADMITTED: dict[tuple[str, str], Any] = {
    ("_codecs", "encode"): _Encoded,
    ("numpy.core.numeric", "_frombuffer"): _FromBuffer,
    ("numpy._core.numeric", "_frombuffer"): _FromBuffer,
    ("numpy", "ndarray"): PickledArray,
    ("numpy", "dtype"): _DType,
    ("numpy.core.multiarray", "_reconstruct"): PickledArray,
    ("numpy._core.multiarray", "_reconstruct"): PickledArray,
    ("collections", "OrderedDict"): _OrderedDict,
    ("torch._utils", "_rebuild_tensor"): Tensor,  # until 0.4, as in torchvision's files of 2017
    ("torch._utils", "_rebuild_tensor_v2"): Tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    **{("torch", name): np.dtype(dtype) for name, dtype in {**_STORAGES, **_OTHER_STORAGES}.items()},
}


def _admitted(module: str, name: str) -> Any:
    """The stand-in for a name. Raises WeightsError for every other."""
    if (module, name) not in _ADMITTED:
        raise WeightsError(f"the pickle names {module}.{name}; only arrays and tensors are admitted")
    return _ADMITTED[module, name]


class _Unpickler(pickle._Unpickler):  # the one in Python, whose steps can be looked at one by one
    storages: dict[str, Storage]  # that were named so far
    stack: list[Any]
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]
    dispatch: ClassVar[dict[int, Callable[..., None]]] = dict(pickle._Unpickler.dispatch)

    def load_reduce(self) -> None:
        """Call what is on the stack: one of the stand-ins, and nothing else."""
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(arguments, tuple) or not any(function is known for known in _ADMITTED.values()):
            raise WeightsError("the pickle calls something other than an array, a tensor or a dictionary")
        self.append(function(*arguments))

    def load_build(self) -> None:
        """Give a stand-in its state, by its own method: never by writing into its attributes."""
        state, target = self.stack.pop(), self.stack[-1]
        if type(target) not in (_DType, PickledArray, _OrderedDict):
            raise WeightsError("the pickle gives a state to what has none")
        target.__setstate__(state)

    def load_setitems(self) -> None:
        self._fill(self.pop_mark())

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._fill([key, value])

    def _fill(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or not all(type(key) in _KEYS for key in items[::2]):
            raise WeightsError("expected dictionaries whose keys are texts or whole numbers")
        target.update(zip(items[::2], items[1::2], strict=True))

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems

    def find_class(self, module: str, name: str) -> Any:
        return _admitted(module, name)

    def persistent_load(self, pid: Any) -> Storage:
        """PyTorch's ("storage", type, key, device, length) and, in older files, a view, which has to be None."""
        good = isinstance(pid, tuple) and len(pid) in (5, 6) and pid[0] == "storage" and pid[5:] in ((), (None,))
        if not good or not isinstance(pid[1], np.dtype) or not isinstance(pid[2], str) or type(pid[4]) is not int:
            raise WeightsError("a persistent record that is no PyTorch storage")
        storage = self.storages.setdefault(pid[2], Storage(pid[2], pid[1], pid[4]))
        if (storage.dtype, storage.length) != (pid[1], pid[4]):
            raise WeightsError(f"storage {pid[2]!r}: named twice, with different types or lengths")
        return storage


def load_pickle(data: bytes | BinaryIO, storages: dict[str, Storage] | None = None) -> Any:
    """The next object in ``data``, made of stand-ins, dictionaries, lists, numbers and texts.

    A file is left behind the pickle's end. PyTorch's storages are added to ``storages`` by key.
    Raises WeightsError for anything else, and for a pickle that is broken.
    """
    file: BinaryIO = io.BytesIO(data) if isinstance(data, bytes) else data
    start = file.tell()
    try:
        end = file.seek(0, io.SEEK_END)
        file.seek(start)
        _check_steps(file, end - start)
        file.seek(start)
        unpickler = _Unpickler(file, encoding="latin1")
        unpickler.storages = {} if storages is None else storages
        return unpickler.load()
    except WeightsError:
        raise
    except Exception as error:  # a broken pickle makes the unpickler raise almost anything
        raise WeightsError(f"not a whole pickle of arrays ({type(error).__name__}: {error})") from error


def _check_steps(file: BinaryIO, length: int) -> None:
    """Raise WeightsError for an opcode that building dictionaries of arrays does not need, or for too many opcodes."""
    for count, (step, argument, _) in enumerate(pickletools.genops(file)):
        if step.name == "GLOBAL":
            _admitted(*str(argument).split(" ", 1))  # before the steps that use it, so that it is told by name
        if step.name == "FRAME" and (argument or 0) > length:
            raise WeightsError(f"not a whole pickle: a frame of {argument} bytes in a file of {length}")
        if step.name not in _STEPS:
            raise WeightsError(f"the pickle does {step.name}; only arrays and tensors are admitted")
        if count > MAX_STEPS or ("PUT" in step.name and (argument or 0) > MAX_STEPS):
            raise WeightsError(f"expected a pickle of at most {MAX_STEPS} steps")
