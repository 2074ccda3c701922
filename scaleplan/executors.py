"""Where chunks of independent work run: here, in processes of this machine, or on a Dask cluster."""

from __future__ import annotations
