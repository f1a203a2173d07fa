"""DBOS Transact: a workflow of six steps, enqueued; alone it is started directly."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
from dbos import DBOS, DBOSClient

from common import CLIENTS, COUNT, MODE, STEPS, URL, end, noted, pause, payload, report_progress, say, until_told

if MODE == "enqueue":
    client = DBOSClient(system_database_url=URL)
    started = time.perf_counter()
    options = {"queue_name": "q", "workflow_name": "ticket"}
    with ThreadPoolExecutor(CLIENTS) as executor:
        list(executor.map(lambda number: client.enqueue(options, number, payload(number, "in")), range(COUNT)))
    say({"n": COUNT, "secs": time.perf_counter() - started})
    end()

DBOS(
    config={
        "name": "bench",
        "system_database_url": URL,
        "application_version": "v1",
        "executor_id": os.environ.get("WORKER_ID", "local"),
        "log_level": "WARNING",
        "run_admin_server": False,
        "sys_db_pool_size": 20,
    }
)


def step(name):
    @DBOS.step(name=name)
    def body(number):
        return payload(number, name)

    return body


steps = [step(name) for name in STEPS]


@DBOS.workflow(name="ticket")
def ticket(number, _input):
    noted.begin()
    for body in steps:
        body(number)
    noted.end()
    return {"ok": True}


DBOS.launch()
DBOS.register_queue(
    "q",
    worker_concurrency=COUNT if MODE == "work" else 20,
    polling_interval_sec=0.05 if MODE == "work" else 1.0,
    on_conflict="always_update",
)
if MODE == "setup":
    DBOS.destroy()
elif MODE == "work":
    report_progress()
    until_told()
    DBOS.destroy(workflow_completion_timeout_sec=0)
elif MODE == "lat":
    connection = psycopg.connect(URL, autocommit=True)
    time.sleep(2)
    status = "SELECT status FROM dbos.workflow_status WHERE workflow_uuid = %s"
    pickups, totals = [], []
    for number in range(COUNT):
        done, started = noted.done, time.perf_counter()
        handle = DBOS.start_workflow(ticket, number, payload(number, "in"))
        while noted.done == done:
            time.sleep(0.0002)
        while connection.execute(status, (handle.get_workflow_id(),)).fetchone()[0] != "SUCCESS":
            time.sleep(0.0002)
        totals.append((time.perf_counter() - started) * 1e3)
        pickups.append((noted.begun - started) * 1e3)
        time.sleep(pause())
    say({"pickup": pickups, "total": totals})
end()
