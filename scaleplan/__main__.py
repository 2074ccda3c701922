"""The program's entry point, ``scaleplan`` and ``python -m scaleplan``."""

from __future__ import annotations

import gc
from typing import NoReturn

_COLLECT_EVERY = 200_000
"""Our choice: a planning command makes fewer objects than this and ends; collecting while its modules load is waste."""


def main() -> NoReturn:
    """Run the command line."""
    gc.set_threshold(_COLLECT_EVERY)
    from scaleplan.cli.app import main as run

    run()


if __name__ == "__main__":
    main()
