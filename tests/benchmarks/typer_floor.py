"""The floor that start-up is measured against: typer alone, with as many commands and options as scaleplan.

Same settings (no rich markup, no pretty exceptions, no completion), the same number of parameters in each command,
and a body that prints a fixed line. tests/startup checks that the numbers of parameters still agree.
"""

from typing import Annotated, Literal

import typer

app = typer.Typer(
    name="floor",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    help="The floor.",
)

Text = Annotated[str | None, typer.Option(metavar="X", help="Some text.")]
Flag = Annotated[bool, typer.Option(help="A flag.")]
Words = Annotated[list[str] | None, typer.Option(metavar="X", help="Some words.")]
Fraction = Annotated[float, typer.Option(metavar="X", help="A fraction.")]
Form = Annotated[Literal["table", "json", "ndjson", "csv", "markdown"], typer.Option("--format", help="A format.")]
Place = Annotated[str | None, typer.Argument(metavar="[X]", help="A place.")]
Places = Annotated[list[str] | None, typer.Argument(metavar="[X]...", help="Places.")]

LINE = '{"schema": "floor/1", "version": "0", "inputs": {}, "rows": [{"params": 1.0}], "warnings": []}'


@app.callback()
def root(version: Annotated[bool, typer.Option("--version", is_eager=True)] = False) -> None:
    """The floor."""


@app.command()
def allocate(
    budget: Place = None,
    flops: Text = None,
    loss: Text = None,
    on: Text = None,
    days: Text = None,
    gpu_hours: Text = None,
    usd: Text = None,
    mfu: Text = None,
    goodput: Text = None,
    price: Text = None,
    precision: Text = None,
    network: Text = None,
    batch: Text = None,
    calibrate: Text = None,
    params: Text = None,
    tokens: Text = None,
    tokens_per_param: Text = None,
    min_params: Text = None,
    max_params: Text = None,
    unique_tokens: Text = None,
    max_epochs: Text = None,
    max_usd: Text = None,
    max_mwh: Text = None,
    memory: Text = None,
    critical_batch: Flag = False,
    experts: Text = None,
    serve: Text = None,
    serve_on: Text = None,
    serve_precision: Text = None,
    serve_mfu: Text = None,
    serve_days: Text = None,
    prompt: Text = None,
    answer: Text = None,
    discount: Text = None,
    law: Words = None,
    level: Fraction = 0.95,
    robust: Text = None,
    draws: Text = None,
    seed: Text = None,
    hyper: Flag = False,
    form: Form = "table",
    get: Text = None,
    output: Text = None,
    quiet: Flag = False,
) -> None:
    """Print a fixed line."""
    print(LINE)


@app.command()
def compare(
    options: Places = None,
    flops: Text = None,
    as_trained: Flag = False,
    draws: Text = None,
    seed: Text = None,
    law: Words = None,
    level: Fraction = 0.95,
    form: Form = "table",
    get: Text = None,
    output: Text = None,
    quiet: Flag = False,
) -> None:
    """Print a fixed line."""
    print(LINE)


@app.command()
def predict(
    params: Text = None,
    tokens: Text = None,
    runs: Text = None,
    law: Words = None,
    level: Fraction = 0.95,
    band: Text = None,
    form: Form = "table",
    get: Text = None,
    output: Text = None,
    quiet: Flag = False,
) -> None:
    """Print a fixed line."""
    print(LINE)


@app.command()
def frontier(
    start: Text = None,
    stop: Text = None,
    per_decade: Annotated[int, typer.Option(help="A number.")] = 1,
    law: Words = None,
    level: Fraction = 0.95,
    form: Form = "table",
    get: Text = None,
    output: Text = None,
    quiet: Flag = False,
) -> None:
    """Print a fixed line."""
    print(LINE)


@app.command()
def hyper(
    params: Text = None,
    tokens: Text = None,
    law: Words = None,
    form: Form = "table",
    get: Text = None,
    output: Text = None,
    quiet: Flag = False,
) -> None:
    """Print a fixed line."""
    print(LINE)


@app.command()
def cost(
    what: Place = None,
    params: Text = None,
    active: Text = None,
    tokens: Text = None,
    shape: Text = None,
    flops: Text = None,
    law: Words = None,
    on: Text = None,
    days: Text = None,
    gpu_hours: Text = None,
    usd: Text = None,
    precision: Text = None,
    mfu: Text = None,
    goodput: Text = None,
    price: Text = None,
    watts: Text = None,
    pue: Text = None,
    grid: Text = None,
    water: Text = None,
    network: Text = None,
    batch: Text = None,
    context: Text = None,
    evaluation: Text = None,
    pilots: Text = None,
    calibrate: Text = None,
    cluster: Text = None,
    published: Flag = False,
    form: Form = "table",
    get: Text = None,
    output: Text = None,
    quiet: Flag = False,
) -> None:
    """Print a fixed line."""
    print(LINE)


@app.command()
def shape(
    params: Text = None,
    flops: Text = None,
    law: Words = None,
    tensor: Text = None,
    vocab: Text = None,
    context: Text = None,
    tied: Flag = False,
    ungated: Flag = False,
    head_size: Text = None,
    kv_heads: Text = None,
    experts: Text = None,
    active: Text = None,
    top: Text = None,
    form: Form = "table",
    get: Text = None,
    output: Text = None,
    quiet: Flag = False,
) -> None:
    """Print a fixed line."""
    print(LINE)


@app.command()
def layout(
    on: Text = None,
    global_batch: Text = None,
    model: Text = None,
    shape: Text = None,
    context: Text = None,
    precision: Text = None,
    network: Text = None,
    tensor: Text = None,
    pipeline: Text = None,
    data: Text = None,
    context_parallel: Text = None,
    expert: Text = None,
    zero: Text = None,
    micro_batch: Text = None,
    interleave: Text = None,
    recompute: Text = None,
    calibrate: Text = None,
    cluster: Text = None,
    fill: Text = None,
    top: Text = None,
    form: Form = "table",
    get: Text = None,
    output: Text = None,
    quiet: Flag = False,
) -> None:
    """Print a fixed line."""
    print(LINE)


@app.command()
def fit(
    runs: Place = None,
    out: Text = None,
    form_name: Text = None,
    method: Text = None,
    objective: Text = None,
    no_prior: Flag = False,
    compare: Flag = False,
    bootstrap: Text = None,
    seed: Text = None,
    column: Words = None,
    where: Words = None,
    any_loss: Flag = False,
    level: Fraction = 0.95,
    band: Text = None,
    workers: Text = None,
    executor: Text = None,
    scheduler: Text = None,
    form: Form = "table",
    get: Text = None,
    output: Text = None,
    quiet: Flag = False,
) -> None:
    """Print a fixed line."""
    print(LINE)


@app.command()
def tradeoff(
    plans: Places = None,
    flops: Text = None,
    loss: Text = None,
    serve: Text = None,
    serve_on: Text = None,
    serve_precision: Text = None,
    serve_mfu: Text = None,
    serve_days: Text = None,
    prompt: Text = None,
    answer: Text = None,
    discount: Text = None,
    law: Words = None,
    form: Form = "table",
    get: Text = None,
    output: Text = None,
    quiet: Flag = False,
) -> None:
    """Print a fixed line."""
    print(LINE)


@app.command()
def sweep(
    file: Place = None,
    workers: Text = None,
    scheduler: Text = None,
    form: Form = "table",
    get: Text = None,
    output: Text = None,
    quiet: Flag = False,
) -> None:
    """Print a fixed line."""
    print(LINE)


@app.command()
def pilot(
    budget: Place = None,
    flops: Text = None,
    law: Text = None,
    share: Text = None,
    runs: Text = None,
    goal: Text = None,
    seeds: Text = None,
    noise: Text = None,
    misfit: Text = None,
    max_run: Text = None,
    ratios: Text = None,
    unique_tokens: Text = None,
    vocab: Text = None,
    context: Text = None,
    on: Text = None,
    within: Text = None,
    precision: Text = None,
    mfu: Text = None,
    goodput: Text = None,
    price: Text = None,
    network: Text = None,
    score: Text = None,
    after: Text = None,
    judge: Text = None,
    collect: Text = None,
    emit: Text = None,
    command: Text = None,
    at_once: Text = None,
    gpus_per_node: Text = None,
    seed: Text = None,
    form: Form = "table",
    get: Text = None,
    output: Text = None,
    quiet: Flag = False,
) -> None:
    """Print a fixed line."""
    print(LINE)


@app.command()
def forecast(
    log: Place = None,
    total_steps: Text = None,
    total_tokens: Text = None,
    schedule: Text = None,
    warm_up: Text = None,
    peak: Text = None,
    floor: Text = None,
    decay: Text = None,
    decay_share: Text = None,
    donor: Words = None,
    any_loss: Flag = False,
    law: Text = None,
    params: Text = None,
    level: Fraction = 0.95,
    form_in: Text = None,
    column: Words = None,
    run: Text = None,
    form: Form = "table",
    get: Text = None,
    output: Text = None,
    quiet: Flag = False,
) -> None:
    """Print a fixed line."""
    print(LINE)


@app.command()
def watch(
    log: Place = None,
    follow: Flag = False,
    total_steps: Text = None,
    warm_up: Text = None,
    expected: Text = None,
    floor: Text = None,
    idle: Text = None,
    until_idle: Flag = False,
    form_in: Text = None,
    column: Words = None,
    run: Text = None,
    form: Form = "table",
    get: Text = None,
    output: Text = None,
    quiet: Flag = False,
) -> None:
    """Print a fixed line."""
    print(LINE)


@app.command()
def laws(
    place: Place = None,
    kind: Text = None,
    year: Text = None,
    check: Flag = False,
    form: Form = "table",
    get: Text = None,
    output: Text = None,
    quiet: Flag = False,
) -> None:
    """Print a fixed line."""
    print(LINE)


@app.command()
def models(
    place: Place = None,
    year: Text = None,
    org: Text = None,
    min_params: Text = None,
    sort: Text = None,
    form: Form = "table",
    get: Text = None,
    output: Text = None,
    quiet: Flag = False,
) -> None:
    """Print a fixed line."""
    print(LINE)


@app.command()
def accelerators(
    place: Place = None,
    year: Text = None,
    org: Text = None,
    min_memory: Text = None,
    sort: Text = None,
    form: Form = "table",
    get: Text = None,
    output: Text = None,
    quiet: Flag = False,
) -> None:
    """Print a fixed line."""
    print(LINE)


@app.command()
def abilities(
    place: Place = None,
    kind: Text = None,
    family: Text = None,
    sort: Text = None,
    form: Form = "table",
    get: Text = None,
    output: Text = None,
    quiet: Flag = False,
) -> None:
    """Print a fixed line."""
    print(LINE)


@app.command()
def init(place: Place = None, force: Flag = False) -> None:
    """Print a fixed line."""
    print(LINE)


@app.command()
def check(place: Place = None, form: Form = "table", output: Text = None, quiet: Flag = False) -> None:
    """Print a fixed line."""
    print(LINE)


@app.command()
def schema(kind: Place = None, output: Text = None) -> None:
    """Print a fixed line."""
    print(LINE)


if __name__ == "__main__":
    app()
