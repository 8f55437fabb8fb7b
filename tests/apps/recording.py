"""Recorder of the steps that run in the Python files of a folder, in all threads.

A step is an instruction, because lines are too coarse (`a() if b else c()` is one line); a call,
with the name of the function; or a return, with the plain values of the function. Calls and values
show a choice that is made without a branch. Recorded code must not replace trace functions:
test_no_app_detection.py finds that.
"""

import dis
import gc
import inspect
import sys
import threading
import types
from abc import ABC, abstractmethod
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Self

# Types whose values are comparable between two runs.
PLAIN = (bool, int, float, str, bytes, type(None))
COROUTINE = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
# Executed once more for each `await` that waits, which differs between the apps.
AWAITING = {"SEND", "YIELD_VALUE", "RESUME", "JUMP_BACKWARD_NO_INTERRUPT"}
# Callables with a name of their own; others are recorded by the name of their type.
NAMED = (
    *(type, types.FunctionType, types.MethodType, types.BuiltinFunctionType),
    *(types.MethodDescriptorType, types.WrapperDescriptorType),
)


class Step(NamedTuple):
    """An instruction, a call, or a return with its values."""

    file: str
    line: int
    what: str


class Recording(ABC):
    """Context manager that records the steps of the files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._files = {str(path): str(path.relative_to(folder)) for path in folder.rglob("*.py")}
        # Appended to by several threads: that is atomic, and counting is not.
        self._recorded: list[tuple[types.CodeType, int, str]] = []

    def take(self) -> Counter[Step]:
        """Return how often each step ran since the last call."""
        recorded, self._recorded = self._recorded, []
        taken: Counter[Step] = Counter()
        for entry, count in Counter(recorded).items():
            if step := self._step(*entry):
                taken[step] += count
        return taken

    def __enter__(self) -> Self:
        self._start()
        # A collection would run finalizers within any recorded function.
        gc.disable()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        gc.enable()

    @abstractmethod
    def _start(self) -> None: ...

    @abstractmethod
    def _stop(self) -> None: ...

    def _step(self, code: types.CodeType, offset: int, what: str) -> Step | None:
        """Return the step to compare; None where two runs may differ."""
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
    """Return name and line by offset, beginning with the RESUME of `code`."""
    found = {
        i.offset: (i.opname, (i.positions and i.positions.lineno) or code.co_firstlineno)
        # In Python 3.11 the offset of a caller is the last cache entry of its instruction.
        for i in dis.get_instructions(code, show_caches=True)
    }
    first = min((offset for offset, (name, _) in found.items() if name == "RESUME"), default=0)
    return {offset: entry for offset, entry in found.items() if offset >= first}


def values(frame: types.FrameType, returned: object) -> str:
    """Return the plain values of the variables of `frame` and of its result."""
    has = {name: value for name, value in frame.f_locals.items() if type(value) in PLAIN}
    return f"has {has!r}, returns {returned!r}" if type(returned) in PLAIN else f"has {has!r}"


class Tracing(Recording):
    """Recorder by `sys.settrace` (instructions) and `sys.setprofile` (C functions)."""

    def _start(self) -> None:
        threading.settrace(self._called)
        threading.setprofile(self._called_c)
        sys.setprofile(self._called_c)
        sys.settrace(self._called)

    def _stop(self) -> None:
        sys.settrace(None)
        sys.setprofile(None)
        threading.setprofile(None)
        threading.settrace(None)

    def _called(self, frame: types.FrameType, _event: str, _arg: object) -> Any:
        code, caller = frame.f_code, frame.f_back
        if (
            caller
            and caller.f_code.co_filename in self._files
            # Generators and coroutines are entered again after each wait.
            and not code.co_flags & (COROUTINE | inspect.CO_GENERATOR)
        ):
            self._recorded.append((caller.f_code, caller.f_lasti, f"calls {code.co_name}"))
        if code.co_filename not in self._files:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._ran

    def _ran(self, frame: types.FrameType, event: str, arg: object) -> Any:
        if event == "opcode":
            self._recorded.append((frame.f_code, frame.f_lasti, ""))
        elif event == "return":
            self._recorded.append((frame.f_code, frame.f_lasti, values(frame, arg)))
        return self._ran

    def _called_c(self, frame: types.FrameType, event: str, arg: Any) -> None:
        if event == "c_call" and frame.f_code.co_filename in self._files:
            self._recorded.append((frame.f_code, frame.f_lasti, f"calls {arg.__name__}"))


if sys.version_info >= (3, 12):
    MONITORING, EVENTS = sys.monitoring, sys.monitoring.events
    TOOL = 4  # no predefined tool has this number

    class Monitoring(Recording):
        """Recorder by `sys.monitoring`."""

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
            MONITORING.restart_events()  # events that an earlier recording disabled

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
            self._recorded.append((code, offset, ""))

        def _calls(self, code: types.CodeType, offset: int, called: object, _arg: object) -> None:
            named = called if isinstance(called, NAMED) else type(called)
            name = getattr(named, "__name__", type(called).__name__)
            self._recorded.append((code, offset, f"calls {name}"))

        def _returned(self, code: types.CodeType, offset: int, returned: object) -> None:
            self._recorded.append((code, offset, values(sys._getframe(1), returned)))


def recording(folder: Path) -> Recording:
    """Return the recorder of `folder` for this version of Python."""
    if sys.version_info >= (3, 12):
        return Monitoring(folder)
    return Tracing(folder)
