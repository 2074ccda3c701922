"""The budget file (``scaleplan.budget/1``) and the options file (``scaleplan.options/1``)."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema, model_validator

from scaleplan.errors import InputFileError, UsageError, quoted
from scaleplan.planning.comparison import Option
from scaleplan.specs.budget_schema import BudgetSpec, LimitsSpec, unknown_budget_words
from scaleplan.specs.conditions import Conditions
from scaleplan.specs.document import Params, Strict, Tokens, by_line, validated
from scaleplan.specs.files import read_document, shown
from scaleplan.specs.headings import with_own_accelerator
from scaleplan.specs.laws import load_law
from scaleplan.specs.limits import OF_MACHINE
from scaleplan.specs.options import catalogue_option
from scaleplan.specs.pilot_hours import manifest_path, pilot_hours
from scaleplan.specs.pilots_schema import PilotsSpec
from scaleplan.specs.presets import looks_like_path
from scaleplan.specs.serving_schema import ServingSpec, unknown_serving_words
from scaleplan.specs.yaml12 import Document, parse, parse_parts, schema_of, single

BUDGET_SCHEMA = "scaleplan.budget/1"
OPTIONS_SCHEMA = "scaleplan.options/1"


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Names = Annotated[
    list[str],
    BeforeValidator(_as_list),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
_LAWS = "A preset, NAME:VARIANT or a law file, or a list of them; the first plans, the others cross-check; or all."
_COMPARED = "Models of the catalogue, model files, and options of one's own."


class OptionSpec(Strict):
    """An option of one's own."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["params"]}, {"required": ["tokens"]}]})

    name: str = Field(min_length=1)
    params: Params | None = Field(None, description="Parameters, embeddings counted.")
    tokens: Tokens | None = Field(None, description="Training tokens.")

    @model_validator(mode="after")
    def _something(self) -> OptionSpec:
        if self.params is None and self.tokens is None:
            raise ValueError("needs params or tokens")
        return self


class BudgetDocument(Strict):
    """A budget file."""

    schema_: Literal["scaleplan.budget/1"] = Field(alias="schema")
    name: str | None = None
    law: Names = Field(default_factory=list, min_length=0, description=_LAWS)
    budget: BudgetSpec
    limits: LimitsSpec | None = None
    serving: ServingSpec | None = None
    pilots: PilotsSpec | None = None
    compare: list[str | OptionSpec] = Field(default_factory=list[str | OptionSpec], description=_COMPARED)

    @model_validator(mode="after")
    def _one_time(self) -> BudgetDocument:
        if self.budget.days is None or self.limits is None or self.limits.deadline_days is None:
            return self
        text = "budget.days and limits.deadline_days are two times for one plan: keep one"
        # Under the key that is one too many, so that it is told with its line.
        found: Any = {"type": "value_error", "loc": ("limits", "deadline_days"), "ctx": {"error": ValueError(text)}}
        raise ValidationError.from_exception_data("limits", [found])

    @property
    def needs_accelerator(self) -> bool:
        """Whether limits are of an accelerator that the file does not name; the call that plans may name it.

        A budget of money has a default one.
        """
        if self.limits is None or self.budget.on is not None or self.budget.usd is not None:
            return False
        return any(getattr(self.limits, key) is not None for key in OF_MACHINE)

    @property
    def conditions(self) -> Conditions:
        """What the file says of the cluster, its deadline and its pilots."""
        pilots = None if self.pilots is None else self.pilots.extra
        deadline = None if self.limits is None else self.limits.deadline_days
        return self.budget.conditions._replace(days=self.budget.days or deadline, pilots=pilots)


class OptionsDocument(Strict):
    """An options file: what to compare, and perhaps under which laws at which budget."""

    schema_: Literal["scaleplan.options/1"] = Field(alias="schema")
    name: str | None = None
    law: Names = Field(default_factory=list, description=_LAWS)
    budget: BudgetSpec | None = None
    compare: list[str | OptionSpec] = Field(min_length=1, description=_COMPARED)

    @property
    def conditions(self) -> Conditions:
        """What the file says of the cluster."""
        return Conditions() if self.budget is None else self.budget.conditions


def read_budget(path: str) -> BudgetDocument:
    """A budget file, or ``-`` for standard input.

    Raises:
        InputFileError: every problem of the file, with its line.
    """
    document = _parsed(path)
    if schema_of(document) == OPTIONS_SCHEMA:
        raise InputFileError(f"{document.where(('schema',))}: schema: an options file; it serves scaleplan compare")
    spec, _ = read_parsed(document)
    assert isinstance(spec, BudgetDocument)
    return spec


def read_comparison(path: str) -> tuple[BudgetDocument | OptionsDocument, list[Option]]:
    """A file with options to compare, an options file or a budget file with a ``compare`` list, and its options.

    Raises:
        InputFileError: every problem of the file, with its line; no options in it; an unknown model.
    """
    parts = parse_parts(read_document(path, "options"), shown(path))
    schema = schema_of(parts[0])
    if isinstance(parts[0].data, dict) and schema not in (BUDGET_SCHEMA, OPTIONS_SCHEMA):
        raise InputFileError(f"{parts[0].where(('schema',))}: schema: {_not_compared(schema)}")
    document = single(parts)
    spec, options = read_parsed(document)
    # A budget file that is bounded has a plan of its own to compare.
    bounded = isinstance(spec, BudgetDocument) and (spec.limits is not None or spec.serving is not None)
    if not options and not bounded:
        raise InputFileError(f"{document.name}: compare: missing; list the options to compare under it")
    return spec, options


def _not_compared(schema: Any) -> str:
    """What compare takes, for a file of which it takes nothing."""
    if schema == "scaleplan.model/1":
        return "a model file goes to compare by its path, not through standard input"
    takes = f"an options file ({OPTIONS_SCHEMA}), a budget file with a compare list ({BUDGET_SCHEMA})"
    got = "missing" if schema is None else f"got {quoted(schema) if isinstance(schema, str) else schema}"
    hint = "; a law goes to --law" if schema == "scaleplan.law/1" else ""
    return f"compare takes {takes} or a model file (scaleplan.model/1) ({got}){hint}"


def read_parsed(document: Document) -> tuple[BudgetDocument | OptionsDocument, list[Option]]:
    """A parsed budget or options file, the laws and models it names looked up.

    Raises:
        InputFileError: every problem of the file, with its line.
    """
    model = OptionsDocument if schema_of(document) == OPTIONS_SCHEMA else BudgetDocument
    here = partial(beside, document.name)
    options, problems = _looked_up(document)
    hours, of_pilots = pilot_hours(document, here)
    problems += of_pilots
    try:
        spec: BudgetDocument | OptionsDocument = _checked(document, model)
    except InputFileError as error:
        raise InputFileError(by_line([*error.problems, *problems])) from None
    names = [
        _option_id(beside(document.name, entry)) if isinstance(entry, str) else entry.name for entry in spec.compare
    ]
    problems = problems or _twice(document, spec.law, names) or _unable(document, spec)
    if problems:
        raise InputFileError(by_line(problems))
    if spec.budget is not None:
        spec = spec.model_copy(update={"budget": with_own_accelerator(spec.budget, here)})
    if isinstance(spec, BudgetDocument) and spec.serving is not None:
        spec = spec.model_copy(update={"serving": with_own_accelerator(spec.serving, here)})
    if isinstance(spec, BudgetDocument) and spec.pilots is not None and spec.pilots.manifest is not None:
        taken = {"manifest": manifest_path(spec.pilots.manifest, here), "gpu_hours": hours}
        spec = spec.model_copy(update={"pilots": spec.pilots.model_copy(update=taken)})
    own = [Option(name=e.name, params=e.params, tokens=e.tokens) for e in spec.compare if isinstance(e, OptionSpec)]
    return spec, [options[entry] if isinstance(entry, str) else own.pop(0) for entry in spec.compare]


def _looked_up(document: Document) -> tuple[dict[str, Option], list[str]]:
    """The models that a document names as options, and its unknown laws, models and so on, one problem each."""
    raw: Any = document.data
    data = cast("dict[str, Any]", raw) if isinstance(raw, dict) else {}
    options: dict[str, Option] = {}
    problems: list[str] = []
    for key in ("law", "compare"):
        names: Any = _as_list(data.get(key))
        for i, name in enumerate(cast("list[Any]", names) if isinstance(names, list) else []):
            if not isinstance(name, str) or (key == "law" and name == "all"):
                continue
            try:
                if key == "law":
                    load_law(beside(document.name, name))
                else:
                    options[name] = catalogue_option(beside(document.name, name))
            except (UsageError, InputFileError) as error:
                field = f"{key}.{i}" if isinstance(data[key], list) else key
                problems.append(f"{document.where((key, i))}: {field}: {error.message}")
    here = partial(beside, document.name)
    problems += unknown_budget_words(document, data.get("budget"), here)
    problems += unknown_serving_words(document, data.get("serving"), here)
    return options, problems


def _twice(document: Document, laws: list[str], options: list[str]) -> list[str]:
    """Laws and options that a document names twice, under whatever spelling, and ``all`` beside other laws."""
    problems: list[str] = []
    if "all" in laws and len(laws) > 1:
        problems.append(f"{document.where(('law',))}: law: all stands for every law: leave the others out")
        laws = []
    ids = [name if name == "all" else load_law(beside(document.name, name)).id for name in laws]
    for key, listed in (("law", ids), ("compare", options)):
        for i, name in enumerate(listed):
            if name in listed[:i]:
                problems.append(f"{document.where((key, i))}: {key}.{i}: {name} stands twice")
    return problems


def _unable(document: Document, spec: BudgetDocument | OptionsDocument) -> list[str]:
    """The first law of a budget file makes the plan: it must be able to."""
    if isinstance(spec, OptionsDocument) or not spec.law or spec.law == ["all"]:
        return []
    law = load_law(beside(document.name, spec.law[0]))
    where = f"{document.where(('law', 0))}: law"
    if "allocate" in law.refuses:
        return [f"{where}: {law.id} is refused for allocation: {law.refuses['allocate']}"]
    if spec.budget.loss is not None and law.surface is None and law.trend is None:
        return [f"{where}: {law.id} is an allocation rule without a loss, so it cannot answer a target loss"]
    return []


def _option_id(name: str) -> str:
    try:
        return catalogue_option(name).name
    except (UsageError, InputFileError):
        return name


def laws_of(path: str, names: list[str]) -> list[str] | None:
    """The laws that a file names, ready to be loaded; ``None`` where it names none."""
    return [beside("<stdin>" if path == "-" else path, name) for name in names] or None


def beside(document: str, name: str) -> str:
    """A law or model as a document names it: a relative path starts at the document's own folder."""
    if not looks_like_path(name) or document == "<stdin>" or Path(name).is_absolute():
        return name
    return str(Path(document).parent / name)


def _parsed(path: str) -> Document:
    return parse(read_document(path, "budget"), shown(path))


def _checked(document: Document, model: type[Any]) -> Any:
    schema = schema_of(document)
    expected = model.model_fields["schema_"].annotation.__args__[0]
    if isinstance(document.data, dict) and schema != expected:
        got = "missing" if schema is None else f"must be {expected} (got {schema!r})"
        hint = f"; the first line of a budget file is `schema: {expected}`" if schema is None else ""
        raise InputFileError(f"{document.where(('schema',))}: schema: {got}{hint}")
    return validated(document, model)
