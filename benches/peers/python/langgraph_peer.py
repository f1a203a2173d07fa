"""LangGraph with its PostgreSQL checkpointer: a graph of six nodes, durability "sync". It has no queue: threads invoke it."""

import os
import threading
import time
from typing import TypedDict

from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.graph import END, START, StateGraph
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from common import COUNT, MODE, STEPS, URL, end, noted, payload, report_progress, say, until_told

State = TypedDict("State", {"id": int, "inp": dict, **{step: dict for step in STEPS}}, total=False)
CONNECTIONS = {"setup": 1, "work": COUNT}.get(MODE, 2)


def node(step):
    def body(state):
        if step == STEPS[0]:
            noted.begin()
        return {step: payload(state["id"], step)}

    return body


def graph(checkpointer):
    builder = StateGraph(State)
    names = [f"n_{step}" for step in STEPS]
    for name, step in zip(names, STEPS):
        builder.add_node(name, node(step))
    for before, after in zip([START, *names], [*names, END]):
        builder.add_edge(before, after)
    return builder.compile(checkpointer=checkpointer)


def invoke(compiled, number, thread):
    configuration = {"configurable": {"thread_id": thread}}
    compiled.invoke({"id": number, "inp": payload(number, "in")}, configuration, durability="sync")


def client(compiled, prefix, stopped):
    number = 0
    while not stopped.is_set():
        invoke(compiled, number, f"{prefix}-{number}")
        noted.end()
        number += 1


settings = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
with ConnectionPool(URL, min_size=CONNECTIONS, max_size=CONNECTIONS, kwargs=settings) as pool:
    saver = PostgresSaver(pool)
    if MODE == "setup":
        saver.setup()
    elif MODE == "work":
        compiled, stopped = graph(saver), threading.Event()
        report_progress()
        worker = os.environ.get("WORKER_ID", "w")
        threads = [
            threading.Thread(target=client, args=(compiled, f"{worker}-{number}", stopped)) for number in range(COUNT)
        ]
        for thread in threads:
            thread.start()
        until_told()
        stopped.set()
        for thread in threads:
            thread.join()
    elif MODE == "lat":
        compiled, pickups, totals = graph(saver), [], []
        for number in range(COUNT):
            started = time.perf_counter()
            invoke(compiled, number, f"alone-{number}")
            totals.append((time.perf_counter() - started) * 1e3)
            pickups.append((noted.begun - started) * 1e3)
            time.sleep(0.01)
        say({"pickup": pickups, "total": totals})
end()
