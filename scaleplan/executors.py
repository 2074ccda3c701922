"""Where chunks of independent work run: here, in processes of this machine, or on a Dask cluster.

A chunk is what one call of a function takes. The work is cut into chunks by its size alone, never by the number of
workers, and linear algebra runs on one thread in each of them, so that the same chunks give the same bits wherever
they run (on processors of one kind: another kind may round sums of products differently).

Processes are spawned, not forked: a fork copies the locks of threads that it does not copy. A function must therefore
be importable and a chunk picklable, and a script that uses processes needs ``if __name__ == "__main__":``.
"""

from __future__ import annotations

import logging
import re
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from functools import cache
from typing import Any, TypeVar

from scaleplan.errors import ScaleplanError, UsageError

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")
Progress = Callable[[int, int], object]
"""Called with how many chunks are done and how many there are, in the process that asked for them."""

_ANSWER_SECONDS = 10
"""Our choice: a scheduler that is up answers within a second, over a slow network too within this."""
_LOOK_SECONDS = 1.0
"""Our choice: how often to see whether a scheduler is still there."""
_WAITING = 4
"""Our choice: chunks sent ahead for each worker; enough to keep it busy, few enough to keep memory flat."""


def run_chunks(
    function: Callable[[Chunk], Result],
    chunks: Sequence[Chunk],
    *,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> list[Result]:
    """The results of ``function`` on each chunk, in the order of the chunks.

    Args:
        function: importable by name, without side effects: a chunk whose worker dies runs again elsewhere on Dask.
        chunks: picklable.
        workers: processes of this machine; 1 runs everything in this one.
        scheduler: address of a running Dask scheduler, ``tcp://host:8786``; ``workers`` is not looked at then.
        progress: told after every chunk, in their order.

    Raises:
        UsageError: no such number of workers; distributed is not installed; no scheduler answers at the address.
        ScaleplanError: processes or workers were lost with their work.
    """
    return list(iter_chunks(function, chunks, workers=workers, scheduler=scheduler, progress=progress))


def iter_chunks(
    function: Callable[[Chunk], Result],
    chunks: Sequence[Chunk],
    *,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> Generator[Result]:
    """The same one by one: each result as soon as it and those before it are there, and none kept.

    Only a few chunks are ahead of the one that is taken, so that memory stays flat however many there are; ``chunks``
    may make each of its items when it is asked for. To stop before the end, close the generator: what was sent ahead
    is cancelled, and the processes end with what they are at.

    Raises:
        UsageError: as for ``run_chunks``; that of a number of workers at once, the others with the first result.
        ScaleplanError: as for ``run_chunks``.
    """
    if workers < 1:
        raise UsageError(f"workers must be at least 1 (got {workers})")
    return _told(_results(function, chunks, workers, scheduler), len(chunks), progress)


def _results(
    function: Callable[[Chunk], Result], chunks: Sequence[Chunk], workers: int, scheduler: str | None
) -> Generator[Result]:
    if scheduler is not None:
        return _on_dask(function, chunks, scheduler)
    workers = min(workers, len(chunks))
    if workers <= 1:
        return (on_one_thread(function, chunk) for chunk in chunks)
    return _in_processes(function, chunks, workers)


def _told(results: Generator[Result], total: int, progress: Progress | None) -> Generator[Result]:
    """The results as they are, each told of before it is handed on."""
    with closing(results):
        for done, result in enumerate(results, start=1):
            if progress is not None:
                progress(done, total)
            yield result


def _in_processes(function: Callable[[Chunk], Result], chunks: Sequence[Chunk], workers: int) -> Generator[Result]:
    import multiprocessing

    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_leave_interrupts)
    try:
        yield from _gathered(pool, function, chunks, _WAITING * workers)
    except BrokenProcessPool:
        raise ScaleplanError(
            "a worker process ended before its work was done: it was killed, ran out of memory, or the script that "
            'asked for workers has no `if __name__ == "__main__":` around its call; one worker needs no processes'
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _on_dask(function: Callable[[Chunk], Result], chunks: Sequence[Chunk], scheduler: str) -> Generator[Result]:
    try:
        import distributed
    except ImportError:
        raise UsageError("a Dask scheduler needs the package distributed: pip install 'scaleplan[dask]'") from None
    library: Any = distributed
    _require_address(scheduler)
    with _silenced("distributed"), _silenced("tornado"):
        try:
            client: Any = library.Client(scheduler, timeout=_ANSWER_SECONDS, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise UsageError(
                f"no Dask scheduler answers at {scheduler!r} ({error or type(error).__name__}): start one with "
                "`dask scheduler` and give the address that it prints, such as tcp://10.0.0.1:8786"
            ) from None
        with client:
            try:
                client.wait_for_workers(1, timeout=_ANSWER_SECONDS)
            except (TimeoutError, OSError):
                raise UsageError(
                    f"the Dask scheduler at {scheduler} has no workers: start some with `dask worker {scheduler}`"
                ) from None
            threads = sum(client.nthreads().values())
            pool = client.get_executor(pure=False)
            try:
                waiting = _WAITING * max(threads, _WAITING)
                yield from _gathered(pool, function, chunks, waiting, lambda: client.status != "running")
            except library.KilledWorker as error:
                raise ScaleplanError(
                    f"the Dask workers at {scheduler} died of their work, one after another, most likely for want of "
                    f"memory: {error}"
                ) from None
            except ModuleNotFoundError as error:
                raise UsageError(
                    f"the Dask workers at {scheduler} lack a module ({error}): install the same scaleplan there"
                ) from None
            except CancelledError:
                raise ScaleplanError(f"the Dask scheduler at {scheduler} was lost before the work was done") from None
            finally:
                pool.shutdown(wait=False)


def _require_address(scheduler: str) -> None:
    """Refuse what no scheduler can be called by, which the library would find out only after its time is over.

    Raises:
        UsageError: not ``tcp://host:port``.
    """
    if re.fullmatch(r"((tcp|tls|ws|wss|ucx)://)?[^\s/:]+:\d{1,5}", scheduler) is None:
        raise UsageError(
            f"no Dask scheduler answers at {scheduler!r}: give the address that `dask scheduler` prints, such as "
            "tcp://10.0.0.1:8786"
        )


def _gathered(
    pool: Executor,
    function: Callable[[Chunk], Result],
    chunks: Sequence[Chunk],
    most_waiting: int,
    lost: Callable[[], bool] = lambda: False,
) -> Generator[Result]:
    """Every chunk through the pool, never more than ``most_waiting`` of them at once; no chunk outlives a failure.

    Taken in the order of the chunks, so that of several failures the same one is told each time.
    """
    waiting: deque[Future[Result]] = deque()
    sent = 0
    try:
        while sent < len(chunks) or waiting:
            while sent < len(chunks) and len(waiting) < most_waiting:
                with _interrupts_held():
                    waiting.append(pool.submit(on_one_thread, function, chunks[sent]))
                sent += 1
            result = _result(waiting[0], lost)
            waiting.popleft()
            yield result
            del result
    finally:
        for future in waiting:
            future.cancel()


def _result(future: Future[Result], lost: Callable[[], bool]) -> Result:
    """What a chunk gave; ``lost`` tells meanwhile whether anybody is still there to answer."""
    while True:
        try:
            return future.result(timeout=_LOOK_SECONDS)
        except TimeoutError:
            if future.done():
                raise
            if lost():
                raise CancelledError from None


def on_one_thread(function: Callable[[Chunk], Result], chunk: Chunk) -> Result:
    """``function(chunk)`` with linear algebra on one thread."""
    with _threads().limit(limits=1, user_api="blas"):
        return function(chunk)


@cache
def _threads() -> Any:
    # numpy brings the library whose threads are counted: it has to be there before they are.
    import numpy as np
    from threadpoolctl import ThreadpoolController  # pyright: ignore[reportMissingTypeStubs] # it has none

    assert np.__name__
    return ThreadpoolController()


def _leave_interrupts() -> None:
    """Ctrl-C reaches every process of the terminal; the one that asked for the work takes care of the others.

    Where that one is ended in a way that it cannot answer to, its workers end with it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    import multiprocessing
    import os

    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _interrupts_held() -> Generator[None]:
    """Ctrl-C waits until this is over, and leaves alone the processes that start meanwhile, even half started."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _silenced(name: str) -> Generator[None]:
    """A library's loggers say nothing meanwhile: that a worker was lost and its work redone is no news to a user."""
    loggers = [logging.getLogger(each) for each in logging.root.manager.loggerDict if f"{each}.".startswith(f"{name}.")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
