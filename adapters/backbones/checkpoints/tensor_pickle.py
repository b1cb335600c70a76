"""Pickles that describe tensors, read by an interpreter that can call nothing.

Python's unpickler finds functions by name and calls them. This one knows the few instructions that
PyTorch writes (``torch/serialization.py``; ``torch/csrc/jit/serialization/pickler.cpp``) and keeps
names as names; what a handful of them mean is decided here, and any other is refused.
"""

from __future__ import annotations

import pickletools
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from adapters.backbone_errors import BackboneError, UnsafeWeights
from adapters.backbones.checkpoints.stored_tensor import StoredTensor, storage_of

MOST_BYTES = 16 * 2**20
"""Of a pickle without its numbers: more than that of any model with its optimiser's state."""
_MOST_INSTRUCTIONS = 2_000_000
_MARK = object()
_DAMAGED = (ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError)


class Name(NamedTuple):
    """What Python would import: never looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class ScriptObject:
    """An object of a TorchScript archive: the name of its class, and its attributes."""

    __slots__ = ("attributes", "kind")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.attributes: dict[str, Any] = {}


def _tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> StoredTensor:
    return StoredTensor.checked(storage, offset, shape, stride)


def _dictionary(*_: Any) -> dict[Any, Any]:
    return {}


def _first(value: Any, *_: Any) -> Any:
    return value


_MEANING: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_parameter": _first,
    "torch.jit._pickle.build_intlist": _first,
    "torch.jit._pickle.build_doublelist": _first,
    "torch.jit._pickle.build_boollist": _first,
    "torch.jit._pickle.restore_type_tag": _first,
    "torch.Size": _first,
    "torch.device": _first,
    "collections.OrderedDict": _dictionary,
    "collections.defaultdict": _dictionary,
}
_VALUES = {"builtins.dict", "__builtin__.dict"}
"""Names that may stand as values: of what a defaultdict makes."""


def read_pickle(content: bytes) -> tuple[Any, int]:
    """Interpret a pickle; return its value, and where in the content it ends.

    Args:
        content: Begins with the pickle.

    Raises:
        UnsafeWeights: It names anything else than tensors and plain values.
        BackboneError: It is damaged, or tensors in it are impossible.
    """
    reading = _Reading()
    try:
        return reading.followed(content)
    except BackboneError:
        raise
    except _DAMAGED as error:
        raise BackboneError(f"its pickle is damaged: {error}") from error


class _Reading:
    """The state of the interpreter: a stack, and what was put down to be referred to again."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def followed(self, content: bytes) -> tuple[Any, int]:
        """Follow all instructions; return the value, and where the last one ends."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in names, which have no meaning here
            for count, (code, argument, position) in enumerate(pickletools.genops(content)):
                if count > _MOST_INSTRUCTIONS:
                    raise BackboneError("its pickle has more instructions than any model needs")
                if code.name == "STOP":
                    return self.pop(), (position or 0) + 1
                self.follow(code.name, argument)
        raise BackboneError("its pickle has no end")

    def pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise ValueError("a mark is no value")
        return value

    def follow(self, code: str, argument: Any) -> None:
        """Follow one instruction."""
        if code in _CONSTANTS:
            self._stack.append(_CONSTANTS[code]())
        elif code in _ARGUMENTS:
            self._stack.append(argument)
        elif code in _IGNORED:
            return
        elif code in {"BINPUT", "LONG_BINPUT"}:
            self._memo[argument] = self._stack[-1]
        elif code == "MEMOIZE":
            self._memo[len(self._memo)] = self._stack[-1]
        elif code in {"BINGET", "LONG_BINGET"}:
            self._stack.append(self._memo[argument])
        elif code == "GLOBAL":
            self._stack.append(_name(*argument.split(" ", 1)))
        elif code == "STACK_GLOBAL":
            name, module = self.pop(), self.pop()
            self._stack.append(_name(module, name))
        elif code in _FOLLOWED:
            _FOLLOWED[code](self)
        else:
            raise UnsafeWeights(f"its pickle has the instruction {code}, which no model needs")

    def marked(self) -> list[Any]:
        """What stands above the last mark."""
        values: list[Any] = []
        while (value := self._stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]

    def tuple_of(self, count: int) -> None:
        self._stack.append(tuple([self.pop() for _ in range(count)][::-1]))

    def marked_tuple(self) -> None:
        self._stack.append(tuple(self.marked()))

    def append(self) -> None:
        value = self.pop()
        self._list().append(value)

    def appends(self) -> None:
        values = self.marked()
        self._list().extend(values)

    def set_item(self) -> None:
        value, key = self.pop(), self.pop()
        self._dictionary()[_key(key)] = value

    def set_items(self) -> None:
        values = self.marked()
        target = self._dictionary()
        for key, value in zip(values[::2], values[1::2], strict=True):
            target[_key(key)] = value

    def storage(self) -> None:
        found = self.pop()
        if not (isinstance(found, tuple) and len(found) >= 5 and found[0] == "storage"):
            raise UnsafeWeights("its pickle refers to something that is no storage")
        kind = found[1]
        if not isinstance(kind, Name) or kind.module != "torch":
            raise UnsafeWeights(f"its pickle has a storage of {kind}")
        self._stack.append(storage_of(kind.name, found[2], found[4]))

    def call(self) -> None:
        arguments, called = self.pop(), self.pop()
        meaning = _MEANING.get(str(called)) if isinstance(called, Name) else None
        if meaning is None or not isinstance(arguments, tuple):
            raise UnsafeWeights(f"its pickle would call {_shown(called)}")
        self._stack.append(meaning(*arguments))

    def new(self) -> None:
        arguments, kind = self.pop(), self.pop()
        if not isinstance(kind, Name) or not _of_script(kind) or arguments != ():
            raise UnsafeWeights(f"its pickle would make an object of {_shown(kind)}")
        self._stack.append(ScriptObject(kind.name))

    def build(self) -> None:
        attributes, target = self.pop(), self._stack[-1]
        if isinstance(target, ScriptObject) and isinstance(attributes, dict):
            target.attributes = attributes
        elif not isinstance(target, dict):  # attributes of an OrderedDict say nothing of tensors
            raise UnsafeWeights("its pickle would set attributes of something that is no module")

    def _list(self) -> list[Any]:
        target = self._stack[-1]
        if not isinstance(target, list):
            raise ValueError("what is appended to is no list")
        return target

    def _dictionary(self) -> dict[Any, Any]:
        target = self._stack[-1]
        if not isinstance(target, dict):
            raise ValueError("what an item is set in is no dictionary")
        return target


_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "MARK": lambda: _MARK,
}
_ARGUMENTS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING"),
}
_IGNORED = {"PROTO", "FRAME"}
_FOLLOWED: dict[str, Callable[[_Reading], None]] = {
    "TUPLE1": lambda reading: reading.tuple_of(1),
    "TUPLE2": lambda reading: reading.tuple_of(2),
    "TUPLE3": lambda reading: reading.tuple_of(3),
    "TUPLE": _Reading.marked_tuple,
    "APPEND": _Reading.append,
    "APPENDS": _Reading.appends,
    "SETITEM": _Reading.set_item,
    "SETITEMS": _Reading.set_items,
    "BINPERSID": _Reading.storage,
    "REDUCE": _Reading.call,
    "NEWOBJ": _Reading.new,
    "BUILD": _Reading.build,
}


def _name(module: object, name: object) -> Name:
    """A name that means something here.

    Raises:
        UnsafeWeights: It means nothing, so that only whoever executes it would know what it does.
    """
    if not isinstance(module, str) or not isinstance(name, str):
        raise ValueError("a name is no text")
    found = Name(module, name)
    full = str(found)
    known = full in _MEANING or full in _VALUES or _of_script(found)
    if known or module == "torch":  # types of numbers and of storages, which call nothing
        return found
    raise UnsafeWeights(f"its pickle names {_shown(found)}")


def _of_script(name: Name) -> bool:
    return name.module.partition(".")[0] == "__torch__"


def _key(key: Any) -> Any:
    if not isinstance(key, str | int | float | bool | None):
        raise ValueError("a key is neither text nor number")
    return key


def _shown(value: object) -> str:
    return str(value)[:200] if isinstance(value, Name) else type(value).__name__
