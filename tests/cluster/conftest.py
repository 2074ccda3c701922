"""A real Slurm of one node, where its programs are installed and we may make devices."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("one_node_slurm.sh")
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "sinfo", "scancel")


def _two_free_ports() -> list[str]:
    with socket.socket() as first, socket.socket() as second:
        for each in (first, second):
            each.bind(("127.0.0.1", 0))
        return [str(each.getsockname()[1]) for each in (first, second)]


@pytest.fixture(scope="module")
def slurm():
    """The environment in which Slurm's commands, and what they start, talk to a cluster of our own."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        pytest.skip(f"no {missing[0]}: install slurmctld, slurmd and slurm-client")
    if os.geteuid() != 0:
        pytest.skip("only root may make the devices that stand for accelerators")
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
        try:
            subprocess.run(["bash", SCRIPT, "up", folder, *_two_free_ports()], check=True, timeout=60)
            own = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SBATCH"))}
            yield own | {"SLURM_CONF": f"{folder}/slurm.conf"}
        finally:
            subprocess.run(["bash", SCRIPT, "down", folder], check=True, timeout=60)
