"""Training logs as text, other lines between them: Megatron-LM, nanoGPT, and rows printed as JSON or Python.

Shapes as the public tools print them: Megatron-LM ``training_log`` and ``evaluate_and_print_results`` (training.py),
nanoGPT ``train.py``, Hugging Face ``ProgressCallback`` (prints each row as a Python dict without its step). A format is
one function of a line here and one line in ``READERS``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from scaleplan.specs.log_rows import LineReader, LogRows, as_number, numbers_of

_NUMBER = r"([-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|nan|inf|NaN|NAN|Inf|INF))"
_ITERATION = re.compile(r"\biteration\s+(\d{1,15})\s*/\s*(\d{1,15})\s*\|")
_VALIDATION = re.compile(r"validation loss at (?:iteration (\d{1,15})|the end of training)([^|]{0,200})\|")
_NANO_STEP = re.compile(rf"\bstep (\d{{1,15}}): train loss {_NUMBER}, val loss {_NUMBER}(?![\d.])")
_NANO_ITER = re.compile(rf"\biter (\d{{1,15}}): loss {_NUMBER}(?![\d.])")
_PAIR = re.compile(r"""['"]([^'"]{1,100})['"]\s*:\s*['"]?([^\s,'"{}\[\]]{1,100})""")
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_LONGEST_ROW = 20_000
"""Our choice [characters]: rows are hundreds; a longer line is a dump of something else."""


def megatron_line(line: str, rows: LogRows) -> bool:
    """``iteration 20/ 1000 | ... | lm loss: 7.4E+00 | ... |``, or a line of validation; a field cut off is not read."""
    start = _ITERATION.search(line)
    if start is None:
        return _megatron_validation(line, rows)
    fields = [part.partition(":") for part in line[start.end() :].split("|")[:-1]]
    found = numbers_of({key.strip(): value.strip() for key, _, value in fields})
    rows.facts["total_steps"] = float(start[2])
    if "loss" not in found:
        return False
    rows.train(float(start[1]), found)
    return True


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
    else:
        return False
    return True


def nanogpt_line(line: str, rows: LogRows) -> bool:
    """``step 250: train loss 3.4121, val loss 3.4480`` or ``iter 250: loss 3.4233, time 251.17ms, mfu 38.40%``."""
    found = _NANO_ITER.search(line)
    if found is not None:
        rows.train(float(found[1]), {"loss": float(found[2])})
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


def read_text(lines: Iterable[str]) -> LogRows:
    """The rows of a text log; empty where no line was one."""
    found = {form: LogRows(form) for form in READERS}
    total = 0
    taken = dict.fromkeys(READERS, 0)
    for raw in lines:
        line = raw.strip()
        if not line:
            continue
        total += 1
        if "loss" not in line or len(line) > _LONGEST_ROW:
            continue
        text = _ESCAPE.sub("", line) if "\x1b" in line else line
        for form, reader in READERS.items():
            if reader(text, found[form]):
                taken[form] += 1
                break
    best = max(READERS, key=lambda form: taken[form])
    rows = found[best]
    rows.ignored = total - taken[best]
    return rows
