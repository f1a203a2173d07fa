"""procrastinate: six chained tasks."""

import asyncio
import logging
import time

import procrastinate
import psycopg

from common import CLIENTS, COUNT, MODE, STEPS, URL, end, noted, pause, payload, report_progress, say, until_told

CONNECTIONS = min(COUNT, 20) + 2 if MODE == "work" else max(CLIENTS, 4)
app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=URL, min_size=2, max_size=CONNECTIONS))
tasks = {}


def register(position):
    async def task(id, prev):
        if position == 0:
            noted.begin()
        if position + 1 < len(STEPS):
            await tasks[position + 1].defer_async(id=id, prev=payload(id, STEPS[position]))
        else:
            noted.end()

    task.__name__ = STEPS[position]
    tasks[position] = app.task(name=STEPS[position])(task)


for position in range(len(STEPS)):
    register(position)


def defer(number):
    return tasks[0].defer_async(id=number, prev=payload(number, "in"))


async def enqueue():
    numbers, started = iter(range(COUNT)), time.perf_counter()

    async def client():
        for number in numbers:
            await defer(number)

    await asyncio.gather(*[client() for _ in range(CLIENTS)])
    say({"n": COUNT, "secs": time.perf_counter() - started})


async def one_by_one():
    connection = await psycopg.AsyncConnection.connect(URL, autocommit=True)
    await asyncio.sleep(2)
    left = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
    pickups, totals = [], []
    for number in range(COUNT):
        done, started = noted.done, time.perf_counter()
        await defer(number)
        while noted.done == done:
            await asyncio.sleep(0.0003)
        while (await (await connection.execute(left)).fetchone())[0]:
            await asyncio.sleep(0.0003)
        totals.append((time.perf_counter() - started) * 1e3)
        pickups.append((noted.begun - started) * 1e3)
        await asyncio.sleep(pause())
    say({"pickup": pickups, "total": totals})


async def main():
    async with app.open_async():
        if MODE == "setup":
            await app.schema_manager.apply_schema_async()
        elif MODE == "enqueue":
            await enqueue()
        else:
            worker = app.run_worker_async(
                concurrency=COUNT if MODE == "work" else 4,
                install_signal_handlers=False,
                listen_notify=True,
                fetch_job_polling_interval=5,
            )
            working = asyncio.create_task(worker)
            if MODE == "work":
                report_progress()
                await asyncio.to_thread(until_told)
            else:
                await one_by_one()
            working.cancel()
            end()


logging.disable(logging.WARNING)
asyncio.run(main())
