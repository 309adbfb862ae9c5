"""Snakemake's command, for a test of seconds.

Its SLURM executor waits 40 seconds before it looks at its jobs, and from look to look longer, up to
180. Here it looks every two seconds; all else is as it is.
"""

import asyncio

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

SECONDS = 2


async def pause(_: RemoteExecutor) -> None:
    await asyncio.sleep(SECONDS)


if __name__ == "__main__":
    RemoteExecutor.sleep = pause
    main()
