"""Who evaluates the parts of a pass: this thread, or a pool of threads under one guard.

`reproducible()` is the guard. BLAS splits a product by its number of threads, and other
splits round otherwise (1 against 2 threads: 23-87 % of products differ in some bit). So while
the guard is held, every BLAS in the process runs on one thread and parallelism is over parts,
whose sizes and order of addition do not depend on threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")
Runner = Callable[[Callable[[int], Result], int], Iterator[tuple[int, Result]]]


def serial(evaluate: Callable[[int], Result], n_parts: int) -> Iterator[tuple[int, Result]]:
    """Yield (i, evaluate(i)) for each part, in order, in this thread."""
    for index in range(n_parts):
        yield index, evaluate(index)


class Pool:
    """Evaluates parts in n_threads threads, the caller's among them; yields results as they come.

    The caller takes parts like the others, so a pass over two blocks wakes one thread, once.
    """

    def __init__(self, n_threads: int) -> None:
        self.n_threads = n_threads
        self._executor = ThreadPoolExecutor(max(n_threads - 1, 1), thread_name_prefix="backpass")

    def __call__(
        self, evaluate: Callable[[int], Result], n_parts: int
    ) -> Iterator[tuple[int, Result]]:
        if n_parts == 1:
            yield 0, evaluate(0)
            return
        work = _Work(evaluate, n_parts, room=2 * self.n_threads)
        helpers = [
            self._executor.submit(work.drain) for _ in range(min(self.n_threads, n_parts) - 1)
        ]
        n_missing = n_parts
        try:
            while n_missing:
                own = work.take()
                if own is not None:
                    yield own, evaluate(own)
                    n_missing -= 1
                for index, result, error in work.arrived(wait=own is None):
                    if error is not None:
                        raise error
                    yield index, result
                    n_missing -= 1
        finally:
            work.stop(len(helpers))
            for helper in helpers:
                helper.cancel()

    def close(self) -> None:
        """Let running parts end and the threads go."""
        self._executor.shutdown(wait=True, cancel_futures=True)


class _Work(Generic[Result]):
    """The parts of one call: which are not begun, and what other threads than the caller's found.

    room: results that may wait for the caller, so that few are in memory.
    """

    def __init__(self, evaluate: Callable[[int], Result], n_parts: int, room: int) -> None:
        self._evaluate, self._todo = evaluate, iter(range(n_parts))
        self._found: SimpleQueue = SimpleQueue()
        self._room, self._lock = threading.Semaphore(room), threading.Lock()

    def take(self) -> int | None:
        """Return a part that nobody has begun; None where there is none."""
        with self._lock:
            return next(self._todo, None)

    def drain(self) -> None:
        """Evaluate parts until none is left, in a thread of the pool."""
        while True:
            self._room.acquire()
            index = self.take()
            if index is None:
                return
            try:
                self._found.put((index, self._evaluate(index), None))
            except BaseException as error:
                self._found.put((index, None, error))
                return

    def arrived(self, wait: bool) -> Iterator[tuple[int, Any, BaseException | None]]:
        """Yield what is there; first wait for one result if asked to."""
        while wait or not self._found.empty():
            yield self._found.get()
            self._room.release()
            wait = False

    def stop(self, n_threads: int) -> None:
        """Begin no more parts; let those of n_threads that wait for room see it."""
        with self._lock:
            self._todo = iter(range(0))
        self._room.release(n_threads)


_runner: ContextVar[Runner | None] = ContextVar("backpass_runner", default=None)


def current_runner() -> Runner | None:
    """Return the runner of this context; None outside of `reproducible()`.

    A thread that was started inside has no runner of its own, but the guard holds for it too: it
    cuts rows as the others do, evaluates them itself, and so gets the same bits.
    """
    return _runner.get() or (serial if _blas_guard.held else None)


@contextmanager
def reproducible(n_jobs: int | None = -1) -> Iterator[None]:
    """Make every evaluation inside have bits that do not depend on the number of threads.

    All BLAS libraries of the process are held to one thread (the caller's setting comes back at
    the end, also after an exception); large batches are cut into fixed parts, which n_jobs threads
    evaluate and one fixed tree adds. n_jobs=-1 uses every core this process may use; None
    follows joblib's context. May be nested and entered from several threads at once.
    """
    n_threads = effective_n_jobs(n_jobs)
    with _blas_guard:
        pool = Pool(n_threads) if n_threads > 1 else None
        token = _runner.set(pool if pool is not None else serial)
        try:
            yield
        finally:
            _runner.reset(token)
            if pool is not None:
                pool.close()


def effective_n_jobs(n_jobs: int | None) -> int:
    """Count the threads that n_jobs asks for, within affinity, cgroup and joblib's outer limits."""
    from joblib import effective_n_jobs as joblib_n_jobs

    return int(joblib_n_jobs(n_jobs))


class _BlasGuard:
    """Holds every BLAS at one thread while anybody is inside: one limit for all, counted.

    A limit per caller would be wrong, since the setting is the process's: the first of two threads
    to leave would lift the limit under the second.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._libraries: list[Any] = []
        self._before: list[tuple[Callable[[int], object], int]] = []

    @property
    def held(self) -> bool:
        """Tell whether anybody is inside."""
        return self._holders > 0

    def __enter__(self) -> None:
        with self._lock:
            if self._holders == 0:
                self._libraries = self._libraries or _blas_libraries()
                self._before = [(_setter(lib), lib.get_num_threads()) for lib in self._libraries]
                for set_threads, _ in self._before:
                    set_threads(1)
            self._holders += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._holders -= 1
            if self._holders == 0:
                for set_threads, n_threads in self._before:
                    set_threads(n_threads)


def _blas_libraries() -> list[Any]:
    """List the process's BLAS libraries, NumPy's and SciPy's among them; a search of some ms."""
    import scipy.linalg  # noqa: F401  # so that SciPy's own BLAS is loaded and seen
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas").lib_controllers


def _setter(library: Any) -> Callable[[int], object]:
    """Return what sets the threads of a BLAS library, from whatever thread it is called.

    From version 3.8 on threadpoolctl lets only one thread set those of OpenBLAS, the first that
    asked, and ignores all others silently: a fit in a second thread would run unguarded.
    """
    return getattr(library, "_real_set_num_threads", library.set_num_threads)


_blas_guard = _BlasGuard()
