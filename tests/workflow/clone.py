"""A clone of the repository to run Snakemake in, from which only this machine is seen."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
# Python reads this before anything else: whatever a job does, it reaches this machine only.
GUARD = """
import os
import socket

HERE = ("127.0.0.1", "::1", "localhost", None, "")


def refused(address):
    with open(os.environ["REFUSED"], "a") as log:
        log.write(f"{address}\\n")
    raise OSError(f"{address}: not on this machine")


class Socket(socket.socket):
    def connect(self, address):
        if isinstance(address, tuple) and address[0] not in HERE:
            refused(address)
        return super().connect(address)


def lookup(host, *arguments, **named):
    if host not in HERE:
        refused(host)
    return getaddrinfo(host, *arguments, **named)


getaddrinfo, socket.getaddrinfo, socket.socket = socket.getaddrinfo, lookup, Socket
"""


class Clone:
    """A clone of the repository without data or results, from which only this machine is seen."""

    def __init__(self, root):
        self.root = root
        for name in ("workflow", "rules", "envs"):
            shutil.copytree(REPOSITORY / name, root / name)
        shutil.copy(REPOSITORY / "config.yaml", root)
        (root / "guard").mkdir()
        (root / "guard/sitecustomize.py").write_text(GUARD)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("CITYSCAPES_")}
        self.environment = {
            **inherited,
            "PYTHONPATH": str(root / "guard"),
            "REFUSED": str(root / "refused"),
            "XDG_DATA_HOME": str(root / "home"),  # where logins are stored
            "no_proxy": "*",
            "OMP_NUM_THREADS": "1",
            "MPLBACKEND": "agg",
        }

    def run(self, *command, stdout=subprocess.PIPE, stderr=subprocess.PIPE):
        return subprocess.run(
            command,
            cwd=self.root,
            env=self.environment,
            stdout=stdout,
            stderr=stderr,
            text=True,
            check=False,
        )

    def snakemake(self, *arguments, **streams):
        return self.run(sys.executable, "-m", "snakemake", *arguments, **streams)

    def refused(self):
        """Return every address elsewhere that was asked for."""
        log = self.root / "refused"
        return log.read_text().splitlines() if log.exists() else []
