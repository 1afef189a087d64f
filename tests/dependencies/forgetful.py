"""A cloudpickle as it may become: of code it sends what runs, and nothing that says where it is from."""

from __future__ import annotations

from types import CodeType, FunctionType
from typing import Any

import cloudpickle


def bare(code: CodeType) -> CodeType:
    """Return code without its file, first line, line table and full name, the functions inside it likewise."""
    inside = tuple(bare(part) if isinstance(part, CodeType) else part for part in code.co_consts)
    return code.replace(
        co_filename="<forgotten>", co_firstlineno=1, co_linetable=b"", co_qualname=code.co_name, co_consts=inside
    )


class Forgetful(cloudpickle.Pickler):  # type: ignore[misc]
    """Reduces functions with bare code, before a pickler sees that, and bare code wherever else it is found."""

    def reducer_override(self, thing: Any) -> Any:
        if isinstance(thing, CodeType):
            return self.dispatch_table[CodeType](bare(thing))
        reduced = super().reducer_override(thing)
        if isinstance(thing, FunctionType) and isinstance(reduced, tuple):
            make, (_, *arguments), *rest = reduced
            return make, (bare(thing.__code__), *arguments), *rest
        return reduced
