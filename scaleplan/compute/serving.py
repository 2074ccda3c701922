"""What serving a model takes over its life: FLOPs, accelerator-hours, money, energy.

A token takes 2 a N FLOPs (Sardana et al. 2023, arXiv 2401.00448, sec. 2), N the parameters, a the share of them that
it passes, and its part of the attention of its request (``demand``). Prompts are read many tokens at a time, bound by
compute. Answers come token by token from b requests at once, each step reading all weights and every cache. In
accelerator-seconds a token:

    prompt:  FLOPs / (peak mfu)
    answer:  max(FLOPs / (peak mfu),  (w N / b + v (s_in + s_out / 2)) / (bandwidth mbu))

w [bytes] a weight, v [bytes] keys and values of a token of context. A replica of k accelerators leaves room for

    b = (0.9 k memory - w N) / (v (s_in + s_out)),  at most ``batch``

requests of s_in tokens of prompt and s_out of answer at once; k itself cancels in accelerator-seconds, and links
between accelerators are not counted.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from scaleplan.compute.bill import HOURS_PER_DAY, SECONDS_PER_HOUR, Span
from scaleplan.compute.demand import Demand, Request
from scaleplan.errors import InfeasibleError, UsageError
from scaleplan.ops import Real, any_true, exp, greater, log, lower, where
from scaleplan.search import increasing_root

USABLE = 0.9
"""The share of memory that weights and caches may fill: vLLM's default ``gpu_memory_utilization``."""
_DOUBLINGS = 10
"""Our choice: from one accelerator to 1,024, more than hold any published model with its caches."""
LARGEST_REPLICA = 2**_DOUBLINGS
"""Our choice: the most accelerators that one copy of a model is spread over where no number is given."""
_ROUNDING = 1e-9
"""Our choice: by so much memory may be exceeded, relative, so that the largest model that fits does fit."""


class Server(NamedTuple):
    """What a model is served on.

    ``peak`` [FLOP/s, dense], ``bandwidth`` [bytes/s] and ``memory`` [bytes] are an accelerator's; ``weight_bytes`` a
    parameter, ``kv_bytes`` a key or value; ``mfu`` the share of peak that compute-bound work reaches, ``mbu`` that of
    bandwidth; ``batch`` the most requests of a replica at once; ``accelerators`` how many a replica has, where
    ``None`` as few, a power of two, as hold the weights and the caches of ``batch`` requests; ``price`` [USD an
    accelerator-hour]; ``watts`` an accelerator, times ``pue`` of the site.
    """

    accelerator: str
    precision: str
    peak: float
    bandwidth: float
    memory: float
    weight_bytes: float
    kv_bytes: float
    mfu: float
    mbu: float
    batch: float
    accelerators: int | None = None
    price: Span | None = None
    watts: float | None = None
    pue: float = 1.0

    @property
    def room(self) -> float:
        """Bytes that the largest replica has for weights and caches."""
        return (self.accelerators or LARGEST_REPLICA) * USABLE * self.memory


class Service(NamedTuple):
    """A demand and what serves it; ``server`` is ``None`` where FLOPs alone are asked.

    Of a mixture of experts a token passes ``active_share`` of all parameters: FLOPs and attention are of those, memory
    and the bytes read in a step of all, as many requests at once need nearly every expert. Every method takes all
    parameters, embeddings counted, as a float or an array.
    """

    demand: Demand
    server: Server | None = None
    active_share: Real = 1.0

    def flop(self, params: Real) -> Real:
        """FLOPs over the life; without the lengths of a request 2 a token and parameter, attention left out."""
        per_token = 2 * self.active_share * params
        request = self._request(params)
        if request is not None:
            per_token = per_token + (request.prompt_attention + request.answer_attention) / request.tokens
        return self.demand.tokens * per_token

    def hours(self, params: Real) -> Real:
        """Accelerator-hours over the life; infinite where no replica holds the model.

        Without the lengths of a request every token is counted as one of a prompt, which is less than answers take.

        Raises:
            UsageError: there is no server.
        """
        server = self._served_by("accelerator-hours")
        rate = server.peak * server.mfu
        flop = 2 * self.active_share * params
        request = self._request(params)
        if request is None:
            seconds = flop / rate
        else:
            compute = (request.answer * flop + request.answer_attention) / rate
            read = server.weight_bytes * params / _concurrent(server, request, params)
            read = read + server.kv_bytes * request.cached * request.context
            answer = greater(compute, request.answer * read / (server.bandwidth * server.mbu))
            seconds = ((request.prompt * flop + request.prompt_attention) / rate + answer) / request.tokens
        hours = self.demand.tokens * seconds / SECONDS_PER_HOUR
        return where(_holds(server, request, params), hours, math.inf)

    def usd(self, params: Real) -> Real:
        """Money over the life, as it is worth today [USD].

        Raises:
            UsageError: there is no server, or its price is not known.
        """
        server = self._served_by("costs")
        if server.price is None:
            raise UsageError(f"no price of {server.accelerator} is known: give one [USD an hour], serving.price: 2.5")
        return self.hours(params) * server.price.value * self.demand.present_share

    def mwh(self, params: Real) -> Real:
        """Energy over the life [MWh].

        Raises:
            UsageError: there is no server, or its power is not known.
        """
        server = self._served_by("MWh")
        if server.watts is None:
            raise UsageError(f"no power of {server.accelerator} is known: give one [W], serving.watts: 700")
        return self.hours(params) * server.watts * server.pue / 1e6

    def fits(self, params: Real) -> Any:
        """Whether a replica holds the model and one request: a bool, of an array an array of them.

        Where no number of accelerators is given, one of ``LARGEST_REPLICA``.

        Raises:
            UsageError: there is no server.
        """
        return _holds(self._served_by("memory"), self._request(params), params)

    def largest(self) -> Real | None:
        """The most parameters that a replica of so many accelerators holds; ``None`` where no number is given."""
        server = self.server
        if server is None or server.accelerators is None:
            return None
        most = server.room / server.weight_bytes
        if self.demand.prompt is None:
            return most

        def excess(ln_params: Real) -> Real:
            params = exp(ln_params)
            return _taken(server, self._request(params), params) - server.room

        return exp(increasing_root(excess, 0.0, log(most)))

    def replica(self, params: Real) -> Real:
        """Accelerators of a replica: those given, or the power of two that leaves room for ``batch`` requests.

        Raises:
            UsageError: there is no server.
        """
        server = self._served_by("memory")
        if server.accelerators is not None:
            return float(server.accelerators)
        taken = _taken(server, self._request(params), params, server.batch) * (1 - _ROUNDING)
        many: Real = 1.0 + 0.0 * taken
        for _ in range(_DOUBLINGS):
            many = where(many * USABLE * server.memory < taken, 2 * many, many)
        return many

    def concurrent(self, params: Real) -> Real | None:
        """Requests that a replica answers at once; ``None`` where the lengths of a request are not given.

        Raises:
            UsageError: there is no server.
        """
        server, request = self._served_by("memory"), self._request(params)
        return None if request is None else _concurrent(server, request, params)

    def _request(self, params: Real) -> Request | None:
        return self.demand.request(self.active_share * params)

    def _served_by(self, wanted: str) -> Server:
        if self.server is None:
            example = "serving.on: h100-sxm (--serve-on h100-sxm)"
            raise UsageError(f"the {wanted} of serving depend on the accelerator: name one, {example}")
        return self.server


def _holds(server: Server, request: Request | None, params: Real) -> Any:
    return _taken(server, request, params) <= server.room * (1 + _ROUNDING)


def _concurrent(server: Server, request: Request, params: Real) -> Real:
    """At least one, of models that do not fit too."""
    cache = server.kv_bytes * request.cached * request.tokens
    return lower(greater((server.room - server.weight_bytes * params) / cache, 1.0), server.batch)


def _taken(server: Server, request: Request | None, params: Real, requests: float = 1.0) -> Real:
    """Bytes of a model with the caches of some requests, which at their longest hold prompt and answer."""
    weights = server.weight_bytes * params
    if request is None:
        return weights
    return weights + requests * server.kv_bytes * request.cached * request.tokens


class Served(NamedTuple):
    """What serving takes, over the life and by the day; ``None`` for what is not known.

    ``cost_usd`` is worth that today, money of a day is not discounted; ``accelerators`` are busy on average,
    ``replica`` of them hold one copy, which answers ``batch`` requests at once.
    """

    flop: Real
    gpu_hours: Real | None = None
    cost_usd: Real | None = None
    energy_mwh: Real | None = None
    usd_per_day: Real | None = None
    mwh_per_day: Real | None = None
    accelerators: Real | None = None
    replica: Real | None = None
    batch: Real | None = None


def served(service: Service, params: Real) -> Served:
    """What serving models of so many parameters takes, embeddings counted; hours infinite for those that do not fit.

    Raises:
        InfeasibleError: no replica holds any of them.
    """
    server, days = service.server, service.demand.days
    flop = service.flop(params)
    if server is None:
        return Served(flop)
    if not any_true(service.fits(params)):
        many = server.accelerators or LARGEST_REPLICA
        more = f"{2 * many}x{server.accelerator}"
        raise InfeasibleError(
            f"{many} {server.accelerator} do not hold it in {server.precision} with one request: serve it on more, "
            f"serving.on: {more} (--serve-on {more}), or bound its size (max_params)"
        )
    hours = service.hours(params)
    energy = None if server.watts is None else service.mwh(params)
    return Served(
        flop=flop,
        gpu_hours=hours,
        cost_usd=None if server.price is None else service.usd(params),
        energy_mwh=energy,
        usd_per_day=None if server.price is None else hours * server.price.value / days,
        mwh_per_day=None if energy is None else energy / days,
        accelerators=hours / (HOURS_PER_DAY * days),
        replica=service.replica(params),
        batch=service.concurrent(params),
    )
