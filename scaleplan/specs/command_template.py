"""A user's training command with places for the numbers of a run: ``python train.py --params {params} --out {result}``.

The command is split into words as a shell would, before anything is put in, and every word is quoted after: no name,
number or sign in it becomes a second command, a redirection, a pattern or a variable. ``{{`` and ``}}`` are braces.
The first word is a program, not a word of the shell. What it prints goes to the run's log without being asked to.
"""

from __future__ import annotations

import shlex
import string
from collections.abc import Mapping
from typing import NamedTuple

from scaleplan.errors import UsageError, nearest, quoted
from scaleplan.pilots.manifest import PilotRun
from scaleplan.specs.shape_words import shape_in_words

RESULT = "result"
"""The one place that is filled when the run starts: the file for what it measured."""
SHAPE_PARTS = ("layers", "width", "heads", "kv_heads", "head_size", "feed_forward", "vocabulary", "context")
PLACES = (
    "id", "params", "tokens", "lr", "batch", "steps", "shape", "seed", RESULT, "accelerators", "sequences",
    *SHAPE_PARTS,
)  # fmt: skip


class _Part(NamedTuple):
    """A piece of a word: text, then perhaps a place."""

    text: str
    place: str | None


class CommandTemplate(NamedTuple):
    """A command, split into words of text and places."""

    words: tuple[tuple[_Part, ...], ...]

    def shell_words(self, run: PilotRun, result: str) -> str:
        """The command of a run as one line of shell, each word quoted.

        Args:
            run: whose numbers fill the places; counts as plain digits, ``{lr}`` as Python writes it.
            result: shell that stands for the result file, a variable in double quotes; it is not quoted again.

        Raises:
            UsageError: a place for which the run has no value.
        """
        values = self._values(run)
        return " ".join(_quoted_word(word, values, result) for word in self.words)

    def _values(self, run: PilotRun) -> Mapping[str, str]:
        used = {part.place for word in self.words for part in word}
        if "accelerators" in used and run.accelerators is None:
            raise UsageError("command: {accelerators} is not known where no accelerator was named")
        if "sequences" in used and not _whole_sequences(run):
            context = round(float(run.shape.context))
            raise UsageError(
                f"command: {{sequences}} of run {run.id}: {round(run.batch_tokens)} tokens of batch are no whole "
                f"sequences of {context}: use {{batch}}"
            )
        return _run_values(run)


def command_template(text: str) -> CommandTemplate:
    """The template of a command.

    Raises:
        UsageError: empty, with a line break or a NUL, with unbalanced quotes or braces, with an unknown place, or with
            an equals sign where the program should be, which ``env`` would take for a variable.
    """
    odd = next((sign for sign in text if not sign.isprintable() and sign != "\t"), None)
    if odd is not None:
        raise UsageError(f"command: {odd!r} cannot stand in it: write one line of printable text")
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"command {quoted(text)}: {str(error).lower()}: close it") from None
    if not words:
        raise UsageError("command: empty; write one such as 'python train.py --params {params} --out {result}'")
    first = _parts(words[0])
    if "=" in words[0] or any(part.place == "shape" for part in first):
        raise UsageError(
            f"command: {quoted(words[0])} is no program but a variable: write env {words[0]} and the rest, or call a "
            "program by a path without ="
        )
    return CommandTemplate((first, *(_parts(word) for word in words[1:])))


def _parts(word: str) -> tuple[_Part, ...]:
    try:
        found = list(string.Formatter().parse(word))
    except ValueError:
        raise UsageError(f"command: a single brace in {quoted(word)}: write {{{{ or }}}} for a brace") from None
    parts: list[_Part] = []
    for text, place, form, conversion in found:
        if place is not None and (place not in PLACES or form or conversion):
            known = f"{nearest(place, PLACES)} There are {', '.join(PLACES)}; write {{{{ and }}}} for braces"
            asked = place + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "")
            raise UsageError(f"command: {quoted('{' + asked + '}')} is no place for a number of a run.{known}")
        parts.append(_Part(text, place))
    return tuple(parts)


def _quoted_word(word: tuple[_Part, ...], values: Mapping[str, str], result: str) -> str:
    """A word for the shell: what is known quoted as a whole, the result's variable between such pieces."""
    pieces, known = [""], False
    for part in word:
        pieces[-1] += part.text
        if part.place == RESULT:
            pieces.append("")
            known = True
        elif part.place is not None:
            pieces[-1] += values[part.place]
    if not known:
        return shlex.quote(pieces[0])
    return result.join(shlex.quote(piece) if piece else "" for piece in pieces)


def _whole_sequences(run: PilotRun) -> bool:
    return run.batch_sequences >= 1 and run.batch_sequences * float(run.shape.context) == run.batch_tokens


def _run_values(run: PilotRun) -> dict[str, str]:
    counts = {
        "params": run.params, "tokens": run.tokens, "batch": run.batch_tokens, "steps": run.steps, "seed": run.seed,
        "sequences": run.batch_sequences,
        **{part: float(getattr(run.shape, part)) for part in SHAPE_PARTS},
    }  # fmt: skip
    values = {place: str(round(value)) for place, value in counts.items()}
    if run.accelerators is not None:
        values["accelerators"] = str(run.accelerators)
    return values | {"id": run.id, "lr": repr(float(run.learning_rate)), "shape": shape_in_words(run.shape)}
