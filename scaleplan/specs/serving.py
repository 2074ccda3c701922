"""Serving in words, of flags, Python keywords or the heading ``serving`` of a budget file, to a service with sources.

Every input that was not given is an ``Assumption`` that says what was taken and why.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

from scaleplan import units
from scaleplan.compute.bill import Assumption
from scaleplan.compute.demand import DAYS_PER_YEAR, Demand
from scaleplan.compute.serving import USABLE, Server, Service
from scaleplan.errors import UsageError, brief, nearest, quoted
from scaleplan.specs.conditions import PRECISION, Conditions, rates_of
from scaleplan.specs.conditions import READERS as OF_MACHINES
from scaleplan.specs.limits import READERS as OF_LIMITS

if TYPE_CHECKING:
    from scaleplan.specs.accelerators import Accelerator

BYTES = {"fp32": 4.0, "tf32": 4.0, "fp16": 2.0, "bf16": 2.0, "fp8": 1.0, "fp4": 0.5}
"""Of a weight; scales of blocks, which add 3 to 6 % to the smallest formats, are left out."""
CACHE_BYTES = {**BYTES, "fp4": 1.0}
"""Of a key or value. Our choice: caches are kept in eight bits beside weights of four."""
MFU = 0.5
MFU_SOURCE = "Sardana et al. 2023 (arXiv 2401.00448) assume it for prompts"
MBU = 0.6
MBU_SOURCE = (
    "our choice: for one stream of 7B to 8B models it is 0.27 (H100) to 0.81 (L4), bound by launches on the fast ones "
    "(Chen 2026, Memory-Bound but Not Bandwidth-Limited, by summaries of it); many streams hide launches"
)
BATCH = 64.0
BATCH_SOURCE = "our choice: 70B in bf16 then answer each request with about 50 tokens a second on four H100"
DAYS_SOURCE = "our choice: a year"
_LENGTHS = "not given: every token is counted as one of a prompt; those of answers take more (serving.prompt, answer)"
MOST_OF_REQUEST = 1e9
"""Tokens of a prompt or an answer. Our choice: far beyond any context, so that more is a slip."""
FLAGS = {
    "tokens": "--serve",
    "on": "--serve-on",
    "precision": "--serve-precision",
    "mfu": "--serve-mfu",
    "days": "--serve-days",
    "prompt": "--prompt",
    "answer": "--answer",
    "discount": "--discount",
}
"""Of the command line, by key; the other keys are those of a file alone."""
_NEED_SERVER = ("precision", "mfu", "mbu", "batch", "days", "price", "watts", "pue")
_SHARED = ("price", "watts", "pue")


class ServingWords(NamedTuple):
    """What was given of serving, read but not yet looked up; ``None`` for what was not.

    ``tokens`` over the life of the model, prompts and answers together; ``on`` an accelerator, or the replica that
    holds one copy of the model, ``8xh100-sxm``; ``mfu`` of prompts, ``mbu`` the share of bandwidth of answers;
    ``batch`` the most requests of a replica at once; ``prompt`` and ``answer`` [tokens] of a request; ``days`` of
    serving; ``discount`` a share a year; ``price`` [USD an accelerator-hour], ``watts`` [W], ``pue`` as for training.
    """

    tokens: float | None = None
    on: str | None = None
    precision: str | None = None
    mfu: float | None = None
    mbu: float | None = None
    batch: float | None = None
    prompt: float | None = None
    answer: float | None = None
    days: float | None = None
    discount: float | None = None
    price: float | None = None
    watts: float | None = None
    pue: str | None = None


def _tokens(word: Any) -> float:
    return units.parse(word, "tokens")


def _of_request(word: Any) -> float:
    value = _tokens(word)
    if value > MOST_OF_REQUEST:
        raise UsageError(f"must be at most {units.count(MOST_OF_REQUEST)} tokens (got {brief(units.shown(word))})")
    return value


READERS: dict[str, Callable[[Any], Any]] = {
    "tokens": _tokens,
    "on": OF_MACHINES["on"],
    "precision": OF_MACHINES["precision"],
    "mfu": OF_MACHINES["mfu"],
    "mbu": OF_MACHINES["mfu"],
    "batch": OF_LIMITS["max_epochs"],  # a number of at least one
    "prompt": _of_request,
    "answer": _of_request,
    "days": OF_LIMITS["deadline_days"],
    "discount": units.share,
    "price": OF_MACHINES["price"],
    "watts": OF_MACHINES["watts"],
    "pue": OF_MACHINES["pue"],
}
assert set(READERS) == set(ServingWords._fields)


def read_serving(words: dict[str, Any]) -> ServingWords:
    """Words of serving by their keys, what was not given ``None``.

    Raises:
        UsageError: an unknown key, with the nearest; the first word that cannot be read, by its key and its flag.
    """
    read: dict[str, Any] = {}
    for key, word in words.items():
        if key not in READERS:
            raise UsageError(f"unknown key {quoted(key)} of serving.{nearest(key, READERS)} Keys: {', '.join(READERS)}")
        if word is None:
            continue
        try:
            if isinstance(word, bool) or not isinstance(word, (str, Real)):
                raise UsageError(f"must be one number or text (got {type(word).__name__})")
            read[key] = READERS[key](word)
        except UsageError as error:
            flag = f" ({FLAGS[key]})" if key in FLAGS else ""
            raise UsageError(f"serving.{key}{flag}: {error.message}") from None
    return ServingWords(**read)


def check_serving(words: ServingWords) -> None:
    """Check that words of serving go together.

    Raises:
        UsageError: tokens are missing, one length of a request without the other, words of a missing accelerator.
    """
    if words.tokens is None:
        raise UsageError("tokens are missing: say how many are served over the model's life (--serve 2T)")
    if (words.prompt is None) != (words.answer is None):
        given, other = ("answer", "prompt") if words.prompt is None else ("prompt", "answer")
        example = "such as prompt 1000 and answer 300 (--prompt 1000 --answer 300)"
        raise UsageError(f"{given} without {other}: give the tokens of both, {example}")
    if words.on is not None:
        return
    named = [key for key in _NEED_SERVER if getattr(words, key) is not None]
    if named:
        raise UsageError(f"{', '.join(named)} without an accelerator: name it with on (--serve-on h100-sxm)")
    if words.discount is not None:
        raise UsageError("a discount is of money: name the accelerator with on (--serve-on h100-sxm)")


def service_of(words: ServingWords) -> tuple[Service, tuple[Assumption, ...]]:
    """The service of some words, and where each of its numbers comes from.

    Raises:
        UsageError: words that do not go together, an unknown accelerator, one that cannot serve at the precision.
        InputFileError: the accelerator's file cannot be used.
    """
    try:
        check_serving(words)
        assert words.tokens is not None
        taken = _Taken()
        demand = Demand(taken.given("tokens", words.tokens, "tokens"), words.prompt, words.answer)
        if words.on is None:
            taken.lengths(words, "not given: 2 FLOPs a token and parameter, attention left out")
            return Service(demand), tuple(taken.listed)
        taken.lengths(words, _LENGTHS)
        demand = demand._replace(
            days=taken.one("days", words.days, DAYS_PER_YEAR, "days", DAYS_SOURCE),
            discount=taken.one("discount", words.discount, 0.0, "a year", "not given: later money counts in full"),
        )
        return Service(demand, _server(words, words.on, taken)), tuple(taken.listed)
    except UsageError as error:
        raise UsageError(f"serving: {error.message}") from None


class _Taken:
    """The assumptions, as they are made."""

    def __init__(self) -> None:
        self.listed: list[Assumption] = []

    def note(self, name: str, value: float | str | None, unit: str, status: str, source: str) -> None:
        self.listed.append(Assumption(f"serving: {name}", value, unit, status, source))

    def given(self, name: str, value: float, unit: str) -> float:
        self.note(name, value, unit, "given", "given")
        return value

    def one(self, name: str, value: float | None, default: float, unit: str, source: str) -> float:
        """What was given, or the default."""
        if value is not None:
            return self.given(name, value, unit)
        self.note(name, default, unit, "our choice" if source.startswith("our choice") else "assumed", source)
        return default

    def lengths(self, words: ServingWords, otherwise: str) -> None:
        if words.prompt is None or words.answer is None:
            self.note("prompt and answer", None, "tokens", "not given", otherwise)
            return
        self.given("prompt", words.prompt, "tokens")
        self.given("answer", words.answer, "tokens")
        why = "attention and cache of the family of published decoders of its size (compute/family.py)"
        self.note("shape", "typical", "", "our choice", why)


def _server(words: ServingWords, on: str, taken: _Taken) -> Server:
    from scaleplan.specs.accelerators import cluster, load_accelerator

    count, name = cluster(on)
    accelerator = load_accelerator(name)
    precision = words.precision or PRECISION
    taken.note("accelerator", accelerator.id, "", "given", "given")
    if count is not None:
        taken.given("accelerators of a replica", count, "")
    peak = peak_at(accelerator, precision)
    memory, bandwidth = (1e9 * _known(accelerator, field) for field in ("memory", "memory_bandwidth"))
    for field, value, unit in (
        (f"peak_{precision}", peak, "FLOP/s, dense"),
        ("memory", memory, "bytes"),
        ("memory_bandwidth", bandwidth, "bytes/s"),
    ):
        sourced = accelerator.values[field]
        taken.note(field.replace("_", " "), value, unit, sourced.status, f"{accelerator.id}: {sourced.source}")
    taken.note("usable memory", USABLE, "1", "assumed", "vLLM's default gpu_memory_utilization")
    if words.precision is None:
        taken.note("precision", precision, "", "our choice", "as weights are trained")
    else:
        taken.note("precision", precision, "", "given", "given")
    said = Conditions(on=on, precision=precision, **{key: getattr(words, key) for key in _SHARED})
    rates, assumptions = rates_of(said, accelerator)
    for each in assumptions:
        if each.name in _SHARED:
            source = each.source.replace("--", "serving.") if each.status == "unknown" else each.source
            taken.note(each.name, each.value, each.unit, each.status, source)
    return Server(
        accelerator=accelerator.id,
        precision=precision,
        peak=peak,
        bandwidth=bandwidth,
        memory=memory,
        weight_bytes=BYTES[precision],
        kv_bytes=CACHE_BYTES[precision],
        mfu=taken.one("mfu", words.mfu, MFU, "1", MFU_SOURCE),
        mbu=taken.one("mbu", words.mbu, MBU, "1", MBU_SOURCE),
        batch=taken.one("batch", words.batch, BATCH, "requests", BATCH_SOURCE),
        accelerators=count,
        price=rates.price,
        watts=rates.watts,
        pue=rates.pue,
    )


def peak_at(accelerator: Accelerator, precision: str) -> float:
    """The dense peak [FLOP/s] of what serves.

    Raises:
        UsageError: it has none at that precision, in the words of serving.
    """
    from scaleplan.specs.accelerators import FLOATS, peak_of

    has = [name for name in FLOATS if accelerator.number(f"peak_{name}") is not None]
    if precision in FLOATS and precision not in has and has:
        choice = "choose with precision (--serve-precision)"
        raise UsageError(f"{accelerator.id} has no {precision}; it has {', '.join(has)}: {choice}")
    return peak_of(accelerator, precision)


def _known(accelerator: Accelerator, field: str) -> float:
    value = accelerator.number(field)
    if value is None:
        raise UsageError(
            f"{accelerator.id} has no known {field}: name an accelerator file of your own that has it, with on "
            "(--serve-on)"
        )
    return value
