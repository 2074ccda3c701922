"""The verbs that look things up: laws, models, accelerators, abilities, schemas, and the check of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scaleplan.specs.numbers import Number, gigabytes, scalar, whole

if TYPE_CHECKING:
    from scaleplan.laws.record import LawRecord
    from scaleplan.specs.abilities import Ability
    from scaleplan.specs.accelerators import Accelerator
    from scaleplan.specs.checking import FileCheck
    from scaleplan.specs.models import CatalogueModel


def list_laws(*, kind: str | None = None, year: int | str | None = None) -> tuple[LawRecord, ...]:
    """Every law of the presets, by id, with all that is known of it; of one kind or year where that is asked.

    Raises:
        UsageError: an unknown kind, a year that cannot be read.
    """
    from scaleplan.specs.records import list_records

    return list_records(kind=kind, year=None if year is None else whole("year", year))


def law_record(name: str) -> LawRecord:
    """All that is known of one law: its constants with sources, its traps, its published checks.

    Raises:
        UsageError: no such law.
        InputFileError: the law file cannot be used.
    """
    from scaleplan.specs.records import load_record

    return load_record(name)


def list_models(
    *,
    year: int | str | None = None,
    organisation: str | None = None,
    min_params: Number | None = None,
    sort: str = "announced",
) -> tuple[CatalogueModel, ...]:
    """Models of the catalogue, oldest first unless sorted otherwise; see ``specs.models.list_models``.

    Raises:
        UsageError: a filter that cannot be read, an unknown sort key.
    """
    from scaleplan.specs.models import list_models as listed

    return listed(
        year=None if year is None else whole("year", year),
        organisation=organisation,
        min_params=None if min_params is None else scalar("min-params", min_params, "params"),
        sort=sort,
    )


def load_model(name: str) -> CatalogueModel:
    """A catalogue model by id or alias, or the model of a file by its path.

    Raises:
        UsageError: no such model.
        InputFileError: the file cannot be used.
    """
    from scaleplan.specs.models import load_model as loaded

    return loaded(name)


def list_accelerators(
    *,
    year: int | str | None = None,
    organisation: str | None = None,
    min_memory: float | str | None = None,
    sort: str = "announced",
) -> tuple[Accelerator, ...]:
    """Accelerators, oldest first unless sorted otherwise; see ``specs.accelerators.list_accelerators``.

    Raises:
        UsageError: a filter that cannot be read, an unknown sort key.
    """
    from scaleplan.specs.accelerators import list_accelerators as listed

    return listed(
        year=None if year is None else whole("year", year),
        organisation=organisation,
        min_memory=None if min_memory is None else gigabytes("min-memory", min_memory),
        sort=sort,
    )


def load_accelerator(name: str) -> Accelerator:
    """An accelerator by id or alias, or that of a file by its path.

    Raises:
        UsageError: no such accelerator.
        InputFileError: the file cannot be used.
    """
    from scaleplan.specs.accelerators import load_accelerator as loaded

    return loaded(name)


def list_abilities(*, kind: str | None = None, family: str | None = None, sort: str = "ability") -> tuple[Ability, ...]:
    """Claims of what models can do at some scale, kind by kind; see ``specs.abilities.list_abilities``.

    Raises:
        UsageError: an unknown kind or sort key.
    """
    from scaleplan.specs.abilities import list_abilities as listed

    return listed(kind=kind, family=family, sort=sort)


def load_ability(name: str) -> Ability:
    """A claim by id, or that of a file by its path.

    Raises:
        UsageError: no such ability.
        InputFileError: the file cannot be used.
    """
    from scaleplan.specs.abilities import load_ability as loaded

    return loaded(name)


def json_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of a kind of file: ``law``, ``budget``, ``options``, ``model``, ``accelerator`` or ``ability``.

    Raises:
        UsageError: an unknown kind.
    """
    from scaleplan.specs.json_schemas import json_schema as schema_of

    return schema_of(kind)


def check(path: str) -> FileCheck:
    """Read any file of ours (see ``json_schema``) or a table of runs as the verbs would, and say what it holds.

    Raises:
        InputFileError: every problem of the file, with its line.
    """
    from scaleplan.specs.checking import check_file

    return check_file(path)
