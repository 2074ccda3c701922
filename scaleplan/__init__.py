"""scaleplan: a compute budget in, a training plan with its uncertainty and its reasons out.

The names below are loaded on first use (PEP 562), so that ``import scaleplan`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scaleplan.api.catalogue import law_record as law_record
    from scaleplan.api.catalogue import list_abilities as list_abilities
    from scaleplan.api.catalogue import list_accelerators as list_accelerators
    from scaleplan.api.catalogue import list_laws as list_laws
    from scaleplan.api.catalogue import list_models as list_models
    from scaleplan.api.catalogue import load_ability as load_ability
    from scaleplan.api.catalogue import load_accelerator as load_accelerator
    from scaleplan.api.catalogue import load_model as load_model
    from scaleplan.api.comparisons import compare as compare
    from scaleplan.api.costs import cost as cost
    from scaleplan.api.fits import fit as fit
    from scaleplan.api.following import Follower as Follower
    from scaleplan.api.forecasts import forecast as forecast
    from scaleplan.api.layouts import layout as layout
    from scaleplan.api.pilot_folders import collect_pilots as collect_pilots
    from scaleplan.api.pilot_folders import write_pilots as write_pilots
    from scaleplan.api.pilots import pilot as pilot
    from scaleplan.api.pilots import score_pilots as score_pilots
    from scaleplan.api.plans import allocate as allocate
    from scaleplan.api.plans import frontier as frontier
    from scaleplan.api.plans import hyper as hyper
    from scaleplan.api.plans import predict as predict
    from scaleplan.api.shapes import shape as shape
    from scaleplan.api.sweeps import sweep as sweep
    from scaleplan.api.tradeoffs import tradeoff as tradeoff
    from scaleplan.api.watched_folder import watch_folder as watch_folder
    from scaleplan.api.watching import follow as follow
    from scaleplan.api.watching import watch as watch
    from scaleplan.compute.costing import Costing as Costing
    from scaleplan.compute.transformer import Transformer as Transformer
    from scaleplan.errors import ConvergenceError as ConvergenceError
    from scaleplan.errors import InfeasibleError as InfeasibleError
    from scaleplan.errors import InputFileError as InputFileError
    from scaleplan.errors import Notice as Notice
    from scaleplan.errors import ScaleplanError as ScaleplanError
    from scaleplan.errors import UsageError as UsageError
    from scaleplan.forecasting.events import Event as Event
    from scaleplan.forecasting.outcome import RunForecast as RunForecast
    from scaleplan.forecasting.schedules import Schedule as Schedule
    from scaleplan.laws.law import Law as Law
    from scaleplan.laws.record import LawRecord as LawRecord
    from scaleplan.planning.comparison import ComparedOption as ComparedOption
    from scaleplan.planning.comparison import Comparison as Comparison
    from scaleplan.planning.comparison import Option as Option
    from scaleplan.planning.equal_loss import TradeoffRow as TradeoffRow
    from scaleplan.planning.frontier import Frontier as Frontier
    from scaleplan.planning.frontier import FrontierPoint as FrontierPoint
    from scaleplan.planning.hyper import Hyperparameters as Hyperparameters
    from scaleplan.planning.hyper import HyperRow as HyperRow
    from scaleplan.planning.plan import Plan as Plan
    from scaleplan.planning.prediction import Prediction as Prediction
    from scaleplan.planning.tradeoff import Tradeoff as Tradeoff
    from scaleplan.specs.abilities import Ability as Ability
    from scaleplan.specs.accelerators import Accelerator as Accelerator
    from scaleplan.specs.law_fit import LawFit as LawFit
    from scaleplan.specs.laws import load_law as load_law
    from scaleplan.specs.models import CatalogueModel as CatalogueModel
    from scaleplan.specs.pilot_plan import PilotPlan as PilotPlan
    from scaleplan.specs.pilot_plan import ScoredPilots as ScoredPilots
    from scaleplan.specs.training_logs import TrainingLog as TrainingLog
    from scaleplan.specs.training_logs import read_log as read_log
    from scaleplan.specs.watched import Watch as Watch
    from scaleplan.specs.watched import WatchedFolder as WatchedFolder
    from scaleplan.version import __version__ as __version__

_WHERE = {
    "Ability": "scaleplan.specs.abilities",
    "Accelerator": "scaleplan.specs.accelerators",
    "CatalogueModel": "scaleplan.specs.models",
    "ComparedOption": "scaleplan.planning.comparison",
    "Comparison": "scaleplan.planning.comparison",
    "ConvergenceError": "scaleplan.errors",
    "Costing": "scaleplan.compute.costing",
    "Event": "scaleplan.forecasting.events",
    "Follower": "scaleplan.api.following",
    "Frontier": "scaleplan.planning.frontier",
    "FrontierPoint": "scaleplan.planning.frontier",
    "HyperRow": "scaleplan.planning.hyper",
    "Hyperparameters": "scaleplan.planning.hyper",
    "InfeasibleError": "scaleplan.errors",
    "InputFileError": "scaleplan.errors",
    "Law": "scaleplan.laws.law",
    "LawFit": "scaleplan.specs.law_fit",
    "LawRecord": "scaleplan.laws.record",
    "Notice": "scaleplan.errors",
    "Option": "scaleplan.planning.comparison",
    "PilotPlan": "scaleplan.specs.pilot_plan",
    "Plan": "scaleplan.planning.plan",
    "Prediction": "scaleplan.planning.prediction",
    "RunForecast": "scaleplan.forecasting.outcome",
    "ScaleplanError": "scaleplan.errors",
    "Schedule": "scaleplan.forecasting.schedules",
    "ScoredPilots": "scaleplan.specs.pilot_plan",
    "Tradeoff": "scaleplan.planning.tradeoff",
    "TradeoffRow": "scaleplan.planning.equal_loss",
    "TrainingLog": "scaleplan.specs.training_logs",
    "Transformer": "scaleplan.compute.transformer",
    "UsageError": "scaleplan.errors",
    "Watch": "scaleplan.specs.watched",
    "WatchedFolder": "scaleplan.specs.watched",
    "__version__": "scaleplan.version",
    "allocate": "scaleplan.api.plans",
    "collect_pilots": "scaleplan.api.pilot_folders",
    "compare": "scaleplan.api.comparisons",
    "cost": "scaleplan.api.costs",
    "fit": "scaleplan.api.fits",
    "follow": "scaleplan.api.watching",
    "forecast": "scaleplan.api.forecasts",
    "frontier": "scaleplan.api.plans",
    "hyper": "scaleplan.api.plans",
    "law_record": "scaleplan.api.catalogue",
    "layout": "scaleplan.api.layouts",
    "list_abilities": "scaleplan.api.catalogue",
    "list_accelerators": "scaleplan.api.catalogue",
    "list_laws": "scaleplan.api.catalogue",
    "list_models": "scaleplan.api.catalogue",
    "load_ability": "scaleplan.api.catalogue",
    "load_accelerator": "scaleplan.api.catalogue",
    "load_law": "scaleplan.specs.laws",
    "load_model": "scaleplan.api.catalogue",
    "pilot": "scaleplan.api.pilots",
    "predict": "scaleplan.api.plans",
    "read_log": "scaleplan.specs.training_logs",
    "score_pilots": "scaleplan.api.pilots",
    "shape": "scaleplan.api.shapes",
    "sweep": "scaleplan.api.sweeps",
    "tradeoff": "scaleplan.api.tradeoffs",
    "watch": "scaleplan.api.watching",
    "watch_folder": "scaleplan.api.watched_folder",
    "write_pilots": "scaleplan.api.pilot_folders",
}

__all__ = [
    "Ability",
    "Accelerator",
    "CatalogueModel",
    "ComparedOption",
    "Comparison",
    "ConvergenceError",
    "Costing",
    "Event",
    "Follower",
    "Frontier",
    "FrontierPoint",
    "HyperRow",
    "Hyperparameters",
    "InfeasibleError",
    "InputFileError",
    "Law",
    "LawFit",
    "LawRecord",
    "Notice",
    "Option",
    "PilotPlan",
    "Plan",
    "Prediction",
    "RunForecast",
    "ScaleplanError",
    "Schedule",
    "ScoredPilots",
    "Tradeoff",
    "TradeoffRow",
    "TrainingLog",
    "Transformer",
    "UsageError",
    "Watch",
    "WatchedFolder",
    "__version__",
    "allocate",
    "collect_pilots",
    "compare",
    "cost",
    "fit",
    "follow",
    "forecast",
    "frontier",
    "hyper",
    "law_record",
    "layout",
    "list_abilities",
    "list_accelerators",
    "list_laws",
    "list_models",
    "load_ability",
    "load_accelerator",
    "load_law",
    "load_model",
    "pilot",
    "predict",
    "read_log",
    "score_pilots",
    "shape",
    "sweep",
    "tradeoff",
    "watch",
    "watch_folder",
    "write_pilots",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'scaleplan' has no attribute {name!r}")
    value = getattr(import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(_WHERE)
