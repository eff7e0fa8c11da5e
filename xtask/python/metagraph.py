"""Reads a metagraph with PyPI's bittensor each time a line comes in, and says how many neurons it has and what CPU time
the read took. Importing and connecting don't count."""

import asyncio
import sys
import time

import bittensor


async def main(url: str, netuid: int) -> None:
    client = bittensor.Client(url, fallback_endpoints=[], archive_endpoints=[])
    await client.connect()
    for _ in sys.stdin:
        begun = time.process_time()
        metagraph = await client.subnets.metagraph(netuid, commitments=False)
        taken = time.process_time() - begun
        print(len(metagraph.neurons), taken, flush=True)
    await client.close()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
