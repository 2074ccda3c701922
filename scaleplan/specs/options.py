"""Options to compare: words of the command line, entries of a file, models of the catalogue."""

from __future__ import annotations

from scaleplan import units
from scaleplan.errors import UsageError, nearest
from scaleplan.planning.comparison import Option
from scaleplan.specs.models import load_model

_KEYS = ("name", "params", "tokens")


def option_from_word(word: str) -> Option:
    """An option from ``gopher`` (a catalogue model) or ``name=ours,params=30B,tokens=5T``.

    Raises:
        UsageError: an unknown model or key, a number that cannot be read, or no name.
    """
    if any("\ud800" <= c <= "\udfff" for c in word):
        raise UsageError(f"option {word!r}: not UTF-8 text")
    if "=" not in word:
        return catalogue_option(word)
    given: dict[str, str] = {}
    for part in word.split(","):
        key, equals, value = part.partition("=")
        key = key.strip()
        if not equals or key not in _KEYS:
            hint = nearest(key, _KEYS) or f" It takes {', '.join(_KEYS)}."
            raise UsageError(f"option {word!r}: cannot read {part!r}.{hint}")
        if key in given:
            raise UsageError(f"option {word!r}: {key} is given twice")
        given[key] = value.strip()
    if not given.get("name"):
        raise UsageError(f"option {word!r}: needs a name, such as name=ours")
    numbers = {key: _number(word, key, value) for key, value in given.items() if key != "name"}
    return Option(name=given["name"], params=numbers.get("params"), tokens=numbers.get("tokens"))


def catalogue_option(name: str) -> Option:
    """A catalogue model as an option, called by its id.

    Raises:
        UsageError: no such model.
    """
    model = load_model(name)
    if model.number("params_active") is not None:
        raise UsageError(
            f"{model.id} is a mixture of experts, which the laws here do not cover: they are of dense models, whose "
            "parameters all serve every token"
        )
    return Option(
        name=model.id,
        params=model.number("params"),
        params_nonembedding=model.number("params_nonembedding"),
        tokens=model.number("tokens"),
        from_catalogue=True,
    )


def _number(word: str, key: str, text: str) -> float:
    try:
        return units.parse(text, key)
    except UsageError as error:
        raise UsageError(f"option {word!r}: {key}: {error.message}") from None
