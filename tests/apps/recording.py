"""Recording of what runs in the Python files of a folder, in every thread.

It records instructions, because lines are too coarse: `a() if b else c()` is one line, whichever
of the two is called. It also records the name of each function that is called, and the plain
values that a function has when it returns: both show a choice that is made without a branch.
"""

import dis
import gc
import inspect
import sys
import threading
import types
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Self
from unittest.mock import patch

# Values that are equal in two runs when they mean the same.
PLAIN = (bool, int, float, str, bytes, type(None))
COROUTINE = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
# Run once more each time an `await` has to wait, which is what the two apps do differently.
AWAITING = {"SEND", "YIELD_VALUE", "RESUME", "JUMP_BACKWARD_NO_INTERRUPT"}
# What has a name of its own; anything else that is called gets the name of its type.
NAMED = (
    *(type, types.FunctionType, types.MethodType, types.BuiltinFunctionType),
    *(types.MethodDescriptorType, types.WrapperDescriptorType),
)
# What recorded code could hide itself with. The last six are new in Python 3.12.
SETTERS: dict[Any, tuple[str, ...]] = {
    sys: ("settrace", "setprofile"),
    threading: (
        *("settrace", "setprofile"),
        *("settrace_all_threads", "setprofile_all_threads"),
    ),
    getattr(sys, "monitoring", None): (
        *("free_tool_id", "register_callback"),
        *("set_events", "set_local_events"),
    ),
}


class Step(NamedTuple):
    """One thing that ran: an instruction, a call, or a return with its values."""

    file: str
    line: int
    what: str


class Recording(ABC):
    """Context manager that records the steps of the files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._files = {str(path): str(path.relative_to(folder)) for path in folder.rglob("*.py")}
        # Appended to by several threads: that is atomic, and counting is not.
        self._seen: list[tuple[types.CodeType, int, str]] = []
        self._watches = ExitStack()
        # Names of setters that recorded code has called.
        self.tampered: list[str] = []

    def take(self) -> Counter[Step]:
        """Return how often each step ran since the last call."""
        seen, self._seen = self._seen, []
        taken: Counter[Step] = Counter()
        for entry, count in Counter(seen).items():
            if step := self._step(*entry):
                taken[step] += count
        return taken

    def __enter__(self) -> Self:
        self._start()
        # A collection would call finalizers from whatever function it happens to interrupt.
        gc.disable()
        for module, names in SETTERS.items():
            for name in names:
                if hasattr(module, name):
                    watch = patch.object(module, name, self._watched(module, name))
                    self._watches.enter_context(watch)
        return self

    def __exit__(self, *_: object) -> None:
        self._watches.close()
        self._stop()
        gc.enable()

    @abstractmethod
    def _start(self) -> None: ...

    @abstractmethod
    def _stop(self) -> None: ...

    def _own(self, function: object) -> bool:
        """Return whether this recording has set `function`: every new thread sets it again."""
        return False

    def _watched(self, module: Any, name: str) -> Callable[..., None]:
        """Return a setter for recorded code: it notes the call and sets nothing."""
        original = getattr(module, name)

        def watched(*given: Any) -> None:
            if self._own(given[0]):
                original(*given)
            else:
                self.tampered.append(f"{module.__name__}.{name}")

        return watched

    def _step(self, code: types.CodeType, offset: int, what: str) -> Step | None:
        """Return a step as it is compared; None where two runs may differ."""
        name, line = instructions(code).get(offset, ("RESUME", 0))
        if name == "RESUME" or (code.co_flags & COROUTINE and name in AWAITING):
            return None
        if what.startswith("has ") and not name.startswith("RETURN_"):
            return None  # a generator that yields, or an exception
        return Step(
            self._files[code.co_filename],
            line,
            f"{code.co_qualname} {what or f'runs {offset}'}",
        )


@cache
def instructions(code: types.CodeType) -> dict[int, tuple[str, int]]:
    """Return name and line by offset, from where `code` begins to be recorded: its RESUME."""
    found = {
        i.offset: (i.opname, (i.positions and i.positions.lineno) or code.co_firstlineno)
        # Python 3.11 says of a caller that it is at the last cache of its instruction.
        for i in dis.get_instructions(code, show_caches=True)
    }
    first = min((offset for offset, (name, _) in found.items() if name == "RESUME"), default=0)
    return {offset: entry for offset, entry in found.items() if offset >= first}


def values(frame: types.FrameType, returned: object) -> str:
    """Return the plain values that `frame` has, and the one that it returns."""
    has = {name: value for name, value in frame.f_locals.items() if type(value) in PLAIN}
    return f"has {has!r}, returns {returned!r}" if type(returned) in PLAIN else f"has {has!r}"


class Tracing(Recording):
    """By `sys.settrace`, which sees instructions, and `sys.setprofile`, which sees C functions."""

    def _start(self) -> None:
        self._entered: list[bool] = []  # True for each frame entered, False for each one left
        self._before = (
            *(threading.gettrace(), threading.getprofile(), sys.gettrace(), sys.getprofile()),
        )
        self._set(self._called, self._called_c, self._called, self._called_c)

    def _stop(self) -> None:
        self._set(*self._before)
        # A frame that has lost its own trace function reports no return.
        if self._entered.count(True) != self._entered.count(False):
            self.tampered.append("f_trace")

    @staticmethod
    def _set(new_trace: Any, new_profile: Any, trace: Any, profile: Any) -> None:
        threading.settrace(new_trace)
        threading.setprofile(new_profile)
        sys.setprofile(profile)
        sys.settrace(trace)

    def _own(self, function: object) -> bool:
        return function in (self._called, self._called_c)

    def _called(self, frame: types.FrameType, _event: str, _arg: object) -> Any:
        code, caller = frame.f_code, frame.f_back
        if (
            caller
            and caller.f_code.co_filename in self._files
            # These are entered again each time they have waited.
            and not code.co_flags & (COROUTINE | inspect.CO_GENERATOR)
        ):
            self._seen.append((caller.f_code, caller.f_lasti, f"calls {code.co_name}"))
        if code.co_filename not in self._files:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        self._entered.append(True)
        return self._ran

    def _ran(self, frame: types.FrameType, event: str, arg: object) -> Any:
        if event == "opcode":
            self._seen.append((frame.f_code, frame.f_lasti, ""))
        elif event == "return":
            self._entered.append(False)
            if not frame.f_trace_opcodes:
                self.tampered.append("f_trace_opcodes")
            self._seen.append((frame.f_code, frame.f_lasti, values(frame, arg)))
        return self._ran

    def _called_c(self, frame: types.FrameType, event: str, arg: Any) -> None:
        if event == "c_call" and frame.f_code.co_filename in self._files:
            self._seen.append((frame.f_code, frame.f_lasti, f"calls {arg.__name__}"))


if sys.version_info >= (3, 12):
    MONITORING = types.SimpleNamespace(**vars(sys.monitoring))  # as it is without watches
    EVENTS = sys.monitoring.events
    TOOL = 4  # of the numbers that are kept for no kind of tool

    class Monitoring(Recording):
        """By `sys.monitoring`: from the start of each recorded function, all that it does."""

        def _start(self) -> None:
            self._codes: dict[int, types.CodeType] = {}
            MONITORING.use_tool_id(TOOL, __name__)
            for event, callback in (
                (EVENTS.PY_START, self._started),
                (EVENTS.INSTRUCTION, self._ran),
                (EVENTS.CALL, self._calls),
                (EVENTS.PY_RETURN, self._returned),
            ):
                MONITORING.register_callback(TOOL, event, callback)
            MONITORING.set_events(TOOL, EVENTS.PY_START)
            MONITORING.restart_events()  # what an earlier recording has switched off

        def _stop(self) -> None:
            MONITORING.set_events(TOOL, 0)
            for code in self._codes.values():
                MONITORING.set_local_events(TOOL, code, 0)
            MONITORING.free_tool_id(TOOL)

        def _started(self, code: types.CodeType, _offset: int) -> object:
            if code.co_filename not in self._files:
                return MONITORING.DISABLE
            self._codes[id(code)] = code
            events = EVENTS.INSTRUCTION | EVENTS.CALL | EVENTS.PY_RETURN
            MONITORING.set_local_events(TOOL, code, events)
            return None

        def _ran(self, code: types.CodeType, offset: int) -> None:
            self._seen.append((code, offset, ""))

        def _calls(self, code: types.CodeType, offset: int, called: object, _arg: object) -> None:
            named = called if isinstance(called, NAMED) else type(called)
            name = getattr(named, "__name__", type(called).__name__)
            self._seen.append((code, offset, f"calls {name}"))

        def _returned(self, code: types.CodeType, offset: int, returned: object) -> None:
            self._seen.append((code, offset, values(sys._getframe(1), returned)))


def recording(folder: Path) -> Recording:
    """Return what records `folder` on this Python."""
    if sys.version_info >= (3, 12):
        return Monitoring(folder)
    return Tracing(folder)
