"""Lines and numbers from a pipe, block by block as they arrive."""

import os
import threading
from contextlib import contextmanager

import numpy as np
import pytest

from scaleplan.errors import InputFileError
from scaleplan.specs.stream import line_blocks, number_blocks


@contextmanager
def pipe(*pieces):
    """The reading end of a pipe into which another thread writes the pieces."""
    reading, writing = os.pipe()

    def feed():
        with open(writing, "wb", buffering=0) as sink:
            for piece in pieces:
                view = memoryview(piece)
                while view:
                    try:
                        view = view[sink.write(view) :]
                    except BrokenPipeError:
                        return

    thread = threading.Thread(target=feed)
    with open(reading, "rb") as source:
        thread.start()
        yield source
    thread.join()


def numbers(*pieces, quantity="flop"):
    with pipe(*pieces) as source:
        return np.concatenate(list(number_blocks(source, quantity)))


def test_blocks_hold_whole_lines_and_know_their_first():
    text = b"".join(b"line %d\n" % i for i in range(1, 50_001))
    with pipe(text) as source:
        blocks = list(line_blocks(source))
    assert b"".join(block for _, block in blocks) == text
    assert len(blocks) > 1
    for first, block in blocks:
        assert block.endswith(b"\n")
        assert block.startswith(b"line %d\n" % first)


def test_a_last_line_without_an_end_counts():
    with pipe(b"a\nb") as source:
        blocks = list(line_blocks(source))
    assert b"".join(block for _, block in blocks) == b"a\nb"
    assert blocks[-1] == (2, b"b")


def test_nothing_gives_no_block():
    with pipe() as source:
        assert list(line_blocks(source)) == []


def test_finished_lines_come_through_while_the_producer_pauses():
    reading, writing = os.pipe()
    with open(reading, "rb") as source:
        os.write(writing, b"1e24\n2e")
        blocks = line_blocks(source)
        assert next(blocks) == (1, b"1e24\n")
        os.write(writing, b"24\n3e24\n")
        assert next(blocks) == (2, b"2e24\n3e24\n")
        os.close(writing)
        assert list(blocks) == []


def test_a_line_of_more_than_a_megabyte_is_refused():
    with pipe(b"ok\n", b"9" * (2**20 + 2**17)) as source, pytest.raises(InputFileError) as caught:
        list(line_blocks(source))
    assert "<stdin>:2: longer than a megabyte" in caught.value.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"1e24\n5.76e23\n", [1e24, 5.76e23]),
        (b"1e24", [1e24]),
        (b"1e24\r\n2e24\r\n", [1e24, 2e24]),
        (b"  1e24  \n\t2e24\n", [1e24, 2e24]),
        (b"70B\n1.5T\n1e24\n", [7e10, 1.5e12, 1e24]),
        (b"10 PF-days\n", [8.64e20]),
    ],
)
def test_one_number_a_line(text, expected):
    np.testing.assert_allclose(numbers(text), expected, rtol=1e-15)


def test_numbers_cut_by_the_pieces_of_the_pipe_are_put_together():
    values = np.random.default_rng(0).uniform(1e18, 1e26, 20_000)
    text = "".join(f"{value!r}\n" for value in values.tolist()).encode()
    assert numbers(*[text[i : i + 7919] for i in range(0, len(text), 7919)]).tolist() == values.tolist()


@pytest.mark.parametrize(
    ("text", "quantity", "words"),
    [
        (b"1e24\nabc\n", "flop", "<stdin>:2: flops: not a number: 'abc'"),
        (b"1e24\n\n2e24\n", "flop", "<stdin>:2: flops: an empty line where a number should be"),
        (b"1e24\n-1\n", "flop", "<stdin>:2: flops: must be > 0 (got -1)"),
        (b"1e24\n1e24\n0\n", "flop", "<stdin>:3: flops: must be > 0 (got 0)"),
        (b"nan\n", "flop", "<stdin>:1: flops: must be a finite number (got nan)"),
        (b"1e24\ninf\n", "flop", "<stdin>:2: flops: must be a finite number (got inf)"),
        (b"1e24\n\xff\n", "flop", "<stdin>:2: flops: not a number"),
        (b"1e24,3\n", "flop", "<stdin>:1: flops: not a number"),
        (b"", "flop", "<stdin>: empty; write one number a line"),
        (b"2.0\nx\n", "loss", "<stdin>:2: loss: not a number: 'x'"),
    ],
)
def test_a_line_that_is_no_number_in_range_is_named(text, quantity, words):
    with pytest.raises(InputFileError) as caught:
        numbers(text, quantity=quantity)
    assert words in caught.value.message
    assert "\n" not in caught.value.message


def test_the_line_number_counts_over_blocks():
    good = b"".join(b"%d\n" % i for i in range(1, 100_001))
    with pytest.raises(InputFileError, match="<stdin>:100001: flops: not a number: 'x'"):
        numbers(good + b"x\n")


def test_good_blocks_come_out_before_a_bad_one():
    reading, writing = os.pipe()
    with open(reading, "rb") as source:
        os.write(writing, b"1e24\n")
        blocks = number_blocks(source, "flop")
        assert next(blocks).tolist() == [1e24]
        os.write(writing, b"bad\n")
        os.close(writing)
        with pytest.raises(InputFileError, match="<stdin>:2"):
            next(blocks)
