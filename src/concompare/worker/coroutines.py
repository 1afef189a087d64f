"""Coroutine functions where nothing awaits them: each thread has an event loop for them, or a loop its own thread.

Needs the standard library only, as `chunk` does; asyncio is imported when the first coroutine function is called.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from concompare.worker.clocks import LOCAL, Held

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

CO_COROUTINE = 0x80

GRACE = 0.5
"""Seconds that cancelled tasks get to end."""

LOOPS: dict[int, asyncio.AbstractEventLoop] = {}
"""The event loops that threads hold for themselves, by thread."""

INHERITED: list[Any] = []
"""Loops of the parent of a forked process: to close one here would close the parent's too."""


def is_coroutine_function(function: Callable[..., Any]) -> bool:
    """Return whether a call gives a coroutine: an `async def`, a partial of one, or an object that is called by one."""
    inner = getattr(function, "func", function)
    call = type(inner).__dict__.get("__call__")
    code = getattr(inner, "__code__", None) or getattr(call, "__code__", None)
    return code is not None and bool(code.co_flags & CO_COROUTINE)


def called(function: Callable[[Any], Coroutine[Any, Any, Any]]) -> Callable[[Any], Any]:
    """Return an ordinary function that calls a coroutine function and waits for its end.

    It uses this thread's own event loop; where one is running already, as in a notebook, the loop of another thread.
    """
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return lambda item: run_in(own_loop(), function(item))
    beside = LoopThread("concompare-await")
    return lambda item: beside.call(function(item))


def own_loop() -> asyncio.AbstractEventLoop:
    """Return the event loop that this thread holds for itself."""
    import asyncio

    held: Held | None = getattr(LOCAL, "loop", None)
    if held is None:
        ident, loop = threading.get_ident(), asyncio.new_event_loop()
        LOOPS[ident] = loop
        held = LOCAL.loop = Held(loop, lambda loop: (LOOPS.pop(ident, None), loop.close()))
    found: asyncio.AbstractEventLoop = held.thing
    return found


def run_in(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end; when this thread is told to stop in the meantime, the coroutine is cancelled."""
    task = loop.create_task(coroutine)
    try:
        return loop.run_until_complete(task)
    except BaseException:
        if not task.done():
            task.cancel()
            with contextlib.suppress(BaseException):
                loop.run_until_complete(task)
        raise


def wake(thread: int) -> None:
    """Let a thread that waits in its own event loop notice that it is to stop."""
    loop = LOOPS.get(thread)
    if loop is not None:
        with contextlib.suppress(RuntimeError):  # closed in the meantime
            loop.call_soon_threadsafe(lambda: None)


def forget_parent() -> None:
    """Leave the parent's event loop alone in a forked process."""
    held: Held | None = LOCAL.__dict__.pop("loop", None)
    if held is not None:
        held.close = lambda _: None
        INHERITED.append(held)
    LOOPS.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_parent)


class LoopThread:
    """An event loop that runs in a thread of its own, until `stop()` or until nobody refers to this object any more."""

    def __init__(self, name: str) -> None:
        import asyncio

        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=serve, args=(self.loop,), name=name, daemon=True)
        self.thread.start()

    def submit(self, coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Run a coroutine as a task of the loop.

        Raises:
            RuntimeError: The loop has been stopped.
        """
        import asyncio

        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        except RuntimeError:
            coroutine.close()
            raise

    def call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine and wait for its end; an interrupt of this thread cancels it."""
        future = self.submit(coroutine)
        try:
            error = future.exception()
        except BaseException:
            future.cancel()
            raise
        if error is not None:
            raise error
        return future.result()

    def stop(self) -> None:
        """Cancel all tasks and end the thread as soon as they let it; returns at once."""
        with contextlib.suppress(RuntimeError):  # it has ended
            self.loop.call_soon_threadsafe(self.loop.stop)

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError, RuntimeError, TypeError):  # the interpreter may be half gone
            self.loop.call_soon_threadsafe(self.loop.stop)


def serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run a loop until it is stopped, then cancel what is left and close it."""
    import asyncio

    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        with contextlib.suppress(BaseException):
            if tasks:
                loop.run_until_complete(asyncio.wait(tasks, timeout=GRACE))
            loop.run_until_complete(loop.shutdown_asyncgens())
        for task in tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        asyncio.set_event_loop(None)
        loop.close()
