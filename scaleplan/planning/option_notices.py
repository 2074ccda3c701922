"""What to say of the options of a comparison before any law speaks: their FLOPs, their tokens, how sure they are."""

from __future__ import annotations

from collections.abc import Sequence

from scaleplan import units
from scaleplan.compute.accounting import ModelSize
from scaleplan.errors import Notice
from scaleplan.planning.comparison import Option

_UNSURE = {
    "unverified": "were not checked against a source",
    "estimate": "are an estimate of others",
    "rumour": "are a rumour",
}


def mode_notices(
    options: Sequence[Option], sizes: Sequence[tuple[ModelSize, float]], flops: Sequence[float], as_trained: bool
) -> list[Notice]:
    """Notices of options that cost different FLOPs, or whose own tokens equal FLOPs replace."""
    if as_trained:
        if max(flops) / min(flops) < 1.0001:
            return []
        spread = ", ".join(f"{o.name} {units.flop(flop)}" for o, flop in zip(options, flops, strict=True))
        return [Notice("unequal_flops", f"the options cost different training FLOPs: {spread}.")]
    replaced = [
        f"{option.name} {units.count(option.tokens)} by {units.count(tokens)}"
        for option, (_, tokens) in zip(options, sizes, strict=True)
        if option.tokens is not None
        and not (option.from_catalogue or option.planned)
        and abs(tokens / option.tokens - 1) > 1e-9
    ]
    if not replaced:
        return []
    text = f"equal FLOPs set the tokens in place of the options' own: {', '.join(replaced)}."
    return [Notice("tokens_replaced", f"{text} As trained keeps them.")]


def unsure(options: Sequence[Option], as_trained: bool) -> list[Notice]:
    """A notice of numbers that nobody published, or that were not checked."""
    parts: list[str] = []
    for option in options:
        used = {"parameters": option.params_status, "tokens": option.tokens_status if as_trained else None}
        parts += [f"{option.name}'s {what} {_UNSURE[s]}" for what, s in used.items() if s is not None and s in _UNSURE]
    return [Notice("unsure", f"{'; '.join(parts)}.")] if parts else []
