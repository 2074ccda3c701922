"""Training logs as text, other lines between them: Megatron-LM, nanoGPT, and rows printed as JSON or Python.

Shapes as the public tools print them: Megatron-LM ``training_log`` and ``evaluate_and_print_results`` (training.py),
nanoGPT ``train.py``, Hugging Face ``ProgressCallback`` (prints each row as a Python dict without its step). A format is
one function of a line here and one line in ``READERS``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping

from scaleplan.errors import Notice
from scaleplan.specs.log_chunks import in_halves, worth_polars
from scaleplan.specs.log_roles import Roles
from scaleplan.specs.log_rows import LogRows
from scaleplan.specs.log_templates import NUMBER, STAMP, Batch
from scaleplan.specs.log_values import as_number, as_time

LineReader = Callable[[str, LogRows], bool]
"""Takes one line of text; whether it was a row of its format."""
_ITERATION = re.compile(r"\biteration\s+(\d{1,15})\s*/\s*(\d{1,15})\s*\|")
_VALIDATION = re.compile(r"validation(?:-0)? loss at (?:iteration (\d{1,15})|the end of training)([^|]{0,200})\|")
"""Of several validation sets (``validation-1 loss at``) the first one is read."""
_NANO_STEP = re.compile(rf"\bstep (\d{{1,15}}): train loss {NUMBER}, val loss {NUMBER}(?![\d.])")
_NANO_ITER = re.compile(rf"\biter (\d{{1,15}}): loss {NUMBER}(?![\d.])(?:, time {NUMBER}ms)?")
_PAIR = re.compile(r"""['"]([^'"]{1,100})['"]\s*:\s*['"]?([^\s,'"{}\[\]]{1,100})""")
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_LONGEST_ROW = 20_000
"""Our choice [characters]: rows are hundreds; a longer line is a dump of something else."""


def megatron_line(line: str, rows: LogRows) -> bool:
    """``[time] iteration 20/ 1000 | ... | lm loss: 7.4E+00 | ... |``, or of validation; a field cut off is not read."""
    start = _ITERATION.search(line)
    if start is None:
        return _megatron_validation(line, rows)
    fields = [part.partition(":") for part in line[start.end() :].split("|")[:-1]]
    found = rows.roles.numbers({key.strip(): value.strip() for key, _, value in fields})
    rows.facts["total_steps"] = float(start[2])
    if "loss" not in found:
        if not _is_unprinted(fields, rows):
            return False
        found["loss"] = math.nan
    stamp = STAMP.search(line, 0, start.start())
    time = None if stamp is None else as_time(stamp[1])
    if time is not None and "time" not in rows.roles.given:
        found["time"] = time
    rows.train(float(start[1]), found)
    return True


def _is_unprinted(fields: list[tuple[str, str, str]], rows: LogRows) -> bool:
    """Whether the loss is missing since it is not a number: it is printed where it is at least 0 (``avg >= 0.0``).

    Only in a log that had losses, in a line that has what stands behind the loss. Where iterations were skipped there
    may be none at all.
    """
    numbers = {key.strip(): as_number(value) for key, _, value in fields}
    named = any(role is not None and role[0] == "loss" for role in map(rows.roles.of, numbers))
    begun = bool(rows.steps) or rows.last_step is not None
    whole = "number of nan iterations" in numbers and numbers.get("number of skipped iterations") == 0
    return begun and whole and not named


def _megatron_validation(line: str, rows: LogRows) -> bool:
    found = _VALIDATION.search(line)
    if found is None or "test" in found[2]:
        return False
    fields = [part.partition(":") for part in line[found.end() :].split("|")[:-1]]
    loss = next((as_number(value) for key, _, value in fields if key.strip().endswith("loss value")), None)
    if loss is None:
        return False
    if found[1] is not None:
        rows.evaluate(float(found[1]), loss)
    elif rows.steps:
        rows.evaluate(rows.steps[-1], loss)
    elif rows.last_step is not None:
        rows.evaluate(rows.last_step, loss)
    else:
        return False
    return True


def nanogpt_line(line: str, rows: LogRows) -> bool:
    """``step 250: train loss 3.4121, val loss 3.4480`` or ``iter 250: loss 3.4233, time 251.17ms, mfu 38.40%``."""
    found = _NANO_ITER.search(line)
    if found is not None:
        row = {"loss": float(found[2])}
        if found[3] is not None:
            row["step_time"] = float(found[3]) * 1e-3
        rows.train(float(found[1]), row)
        return True
    found = _NANO_STEP.search(line)
    if found is None:
        return False
    rows.evaluate(float(found[1]), float(found[3]))
    return True


def printed_line(line: str, rows: LogRows) -> bool:
    """``{'loss': 4.11, 'epoch': 0.5}`` or the same as JSON; without a step it is the next row."""
    start = line.find("{")
    if start < 0 or not line.endswith("}"):
        return False
    return rows.row(dict(_PAIR.findall(line, start)), count=True)


READERS: Mapping[str, LineReader] = {
    "Megatron-LM text": megatron_line,
    "nanoGPT text": nanogpt_line,
    "text with printed rows": printed_line,
}
"""By the name of the format. That which most lines are of is the log's; of equals the first."""


class TextParser:
    """Rows among other lines.

    Args:
        roles: what the columns are called.
        run: the only run of which rows are taken.
        forms: the formats that are looked for.
        careful: read every line by itself, to compare with.
    """

    def __init__(
        self, roles: Roles, run: str | None = None, forms: Iterable[str] = READERS, *, careful: bool = False
    ) -> None:
        self._found = {form: LogRows(form, roles, run) for form in forms}
        self._taken = dict.fromkeys(self._found, 0)
        self._total = 0
        self._careful = careful
        self._settled = ""
        self._batch = Batch(self._found, self._slow)
        self._needle = "" if "loss" in roles.given else "loss"

    @property
    def rows(self) -> LogRows:
        """Those of the format that most lines are of; once they were settled always of that."""
        best = self._settled or self._best()
        rows = self._found[best]
        rows.ignored = self._total - self._taken[best]
        return rows

    def settle(self) -> None:
        """Keep the format, where there is one, and throw away the rows of others, of which memory is not to fill."""
        best = self._best()
        if not self._settled and self._taken[best]:
            self._settled = best
        for form, rows in self._found.items():
            if form != self._settled:
                rows.drain()
        if self._settled not in ("", best) and not self._found[self._settled].notices:
            text = f"more lines are {best} by now than {self._settled}, which the log began with: only those are read."
            self._found[self._settled].notices.append(Notice("log_of_two_formats", text))

    def _best(self) -> str:
        return max(self._taken, key=lambda form: self._taken[form])

    def take(self, block: bytes) -> None:
        """The next lines."""
        if self._careful:
            self._by_line(block)
        else:
            in_halves(block, self._quick, self._by_line)

    def _quick(self, block: bytes) -> bool:
        """Takes lines of which all that may be rows are like the one learned from; whether they are."""
        if b"\r" in block or not self._batch.ready:
            return False
        lines = block.decode("utf-8", errors="replace").split("\n")
        candidates = [line for line in lines if self._needle in line]
        form = self._batch.all_of(candidates, by_polars=worth_polars(block))
        if not form:
            return False
        self._taken[form] += len(candidates)
        self._total += len(candidates)
        if len(candidates) < len(lines):
            self._total += sum(self._needle not in line and bool(line.strip()) for line in lines)
        return True

    def _by_line(self, block: bytes) -> None:
        batch = self._batch
        text = block.decode("utf-8", errors="replace")
        for raw in (text.replace("\r", "\n") if "\r" in text else text).split("\n"):
            if self._needle not in raw:  # no row of any format: what waits in the batch may go on waiting
                self._total += bool(raw.strip())
            elif self._careful or not batch.take(raw):
                form = self._slow(raw)
                if form and not self._careful:
                    batch.learn(raw)
        for form, count in batch.done().items():
            self._taken[form] += count
            self._total += count

    def restart(self) -> None:
        """What follows is the beginning of a file, which to text is nothing new."""

    def _slow(self, raw: str) -> str:
        """Takes a line by itself: of which format it is a row."""
        line = raw.strip()
        if not line:
            return ""
        self._total += 1
        if len(line) > _LONGEST_ROW:
            return ""
        text = _ESCAPE.sub("", line) if "\x1b" in line else line
        for form, rows in self._found.items():
            if READERS[form](text, rows):
                self._taken[form] += 1
                return form
        return ""
