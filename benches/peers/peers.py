"""Runs engines side by side against one PostgreSQL and prints what each costs; started by scripts/peers.sh.

A peer is a program with four modes, on the database that DATABASE_URL names: `setup`; `enqueue N CLIENTS`, which prints
{"n", "secs"}; `work CONCURRENCY`, which prints READY and then `C <workflows done>` five times a second until a line on its
standard input; `lat N`, which prints {"pickup": [ms], "total": [ms]}. A workflow is six sequential steps that do nothing and
return about 300 bytes. Costs are those of the execution alone; what the enqueue costs is not in them.
"""

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Longest that one mode of a peer may take, in seconds.
PATIENCE = 300
ENQUEUE_CLIENTS = 16


@dataclass(frozen=True)
class Peer:
    """An engine, and the settings under which its authors would have it run: those of its documentation."""

    name: str
    # What has to be installed: ticketflow, npm or PyPI; the package tells the version.
    source: str
    package: str
    command: list
    workflows: int
    # What one worker process does at once.
    concurrency: int
    processes: int = 1
    # LangGraph's graphs are invoked, not enqueued.
    queued: bool = True
    work_settings: dict = field(default_factory=dict)
    alone_settings: dict = field(default_factory=dict)
    # Workflows measured one at a time.
    alone: int = 60
    note: str = ""


def node(program):
    return ["node", str(HERE / "node" / program)]


def python(program):
    return [str(HERE / "venv" / "bin" / "python"), str(HERE / "python" / program)]


TICKETFLOW = [os.environ["TICKETFLOW"], "bench"]
PEERS = [
    Peer("ticketflow", "ticketflow", "", TICKETFLOW, 50_000, 1_024, alone=200),
    Peer("pg-boss", "npm", "pg-boss", node("pgboss.mjs"), 12_000, 12, work_settings={"BATCH": "500"},
         alone_settings={"GAP": "600"}, alone=15, note="batches of 500, each of which succeeds or fails as one"),
    Peer("Absurd (TypeScript)", "npm", "absurd-sdk", node("absurd.mjs"), 4_000, 16, alone_settings={"GAP": "300"}),
    Peer("graphile-worker", "npm", "graphile-worker", node("graphile.mjs"), 3_500, 24,
         work_settings={"LOCAL_QUEUE": "200"}, alone=150, note="local queue of 200, none for one alone"),
    Peer("DBOS (TypeScript)", "npm", "@dbos-inc/dbos-sdk", node("dbos.mjs"), 2_000, 16,
         note="enqueued; one alone started directly"),
    Peer("procrastinate", "PyPI", "procrastinate", python("procrastinate_peer.py"), 1_500, 10, processes=2),
    Peer("DBOS (Python)", "PyPI", "dbos", python("dbos_peer.py"), 1_200, 16, processes=2,
         note="enqueued; one alone started directly"),
    Peer("LangGraph", "PyPI", "langgraph", python("langgraph_peer.py"), 1_600, 5, processes=2, queued=False,
         note="PostgreSQL checkpointer, no queue: threads invoke it"),
]


def version(peer):
    if peer.source == "npm":
        return json.loads((HERE / "package.json").read_text())["dependencies"][peer.package]
    if peer.source == "PyPI":
        return re.search(rf"^{peer.package}==(\S+)$", (HERE / "requirements.txt").read_text(), re.MULTILINE)[1]
    return ""


class Skipped(Exception):
    """Why a peer has no figures."""


def psql(sql, database="postgres"):
    command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1", "--command", sql]
    done = subprocess.run(command, env={**os.environ, "PGDATABASE": database}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Skipped(f"PostgreSQL: {done.stderr.strip()}")
    return done.stdout.strip()


def url(database):
    return f"postgresql://{os.environ['PGUSER']}@{os.environ['PGHOST']}:{os.environ['PGPORT']}/{database}"


class Run:
    """One engine on a fresh database of its own."""

    def __init__(self, peer, log):
        self.peer, self.log = peer, log
        self.database = "peer_" + re.sub(r"\W+", "_", peer.name.lower()).strip("_")

    def prepare(self):
        psql(f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)")
        psql(f"CREATE DATABASE {self.database}")
        if self.peer.package == "absurd-sdk":
            self.call([str(HERE / "venv/bin/absurdctl"), "init"], {"ABSURD_DATABASE_URL": url(self.database)})
        self.mode("setup")
        psql("CHECKPOINT")

    def environment(self, settings):
        return {**os.environ, "DATABASE_URL": url(self.database), **settings}

    def call(self, command, settings):
        done = subprocess.run(command, env=self.environment(settings), cwd=HERE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=self.log, text=True, timeout=PATIENCE, check=False)
        if done.returncode:
            raise Skipped(f"{' '.join(command[1:])} ended with {done.returncode}: {last_line(self.log)}")
        return done.stdout

    def mode(self, *arguments, settings=None):
        return self.call([*self.peer.command, *map(str, arguments)], settings or {})

    def enqueue(self, workflows):
        answer = document(self.mode("enqueue", workflows, ENQUEUE_CLIENTS))
        return answer["n"] / answer["secs"]

    def throughput(self, workflows):
        """Works so many workflows off; returns how many a second, and what each cost the server."""
        psql("VACUUM ANALYZE", self.database)
        before = Counters(self.database)
        with Workers(self) as workers:
            seconds = workers.work_off(workflows)
            done = workers.done()
        # A connection reports what it did at the latest when it ends.
        time.sleep(1.2)
        return {"workflows": done / seconds, **before.per_workflow(Counters(self.database), done)}

    def alone(self, workflows):
        """The median of workflows one at a time, in milliseconds, without the first tenth."""
        totals = document(self.mode("lat", workflows, settings=self.peer.alone_settings))["total"]
        return statistics.median(totals[len(totals) // 10:])


class Counters:
    """What the server counted so far; statements with those that begin and end transactions."""

    def __init__(self, database):
        self.lsn = psql("SELECT pg_current_wal_flush_lsn()")
        self.statements = int(psql(
            "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements AS s JOIN pg_database AS d ON d.oid = s.dbid "
            f"WHERE d.datname = '{database}' AND s.toplevel"))

    def per_workflow(self, after, done):
        # Images of whole pages depend on when the last checkpoint was, not on the engine.
        commits, size = psql(
            "SELECT coalesce(sum(count) FILTER (WHERE \"resource_manager/record_type\" = 'Transaction/COMMIT'), 0)::bigint, "
            f"sum(record_size)::bigint FROM pg_get_wal_stats('{self.lsn}', '{after.lsn}', true)").split("|")
        return {
            "commits": int(commits) / done,
            "statements": (after.statements - self.statements) / done,
            "wal": int(size) / 1_000 / done,
        }


class Workers:
    """The worker processes of one engine; ended when the block is left."""

    def __init__(self, run):
        self.run, self.processes = run, []
        self.counts = [0] * run.peer.processes
        self.ready = [threading.Event() for _ in self.counts]

    def __enter__(self):
        command = [*self.run.peer.command, "work", str(self.run.peer.concurrency)]
        for number in range(self.run.peer.processes):
            settings = {**self.run.peer.work_settings, "WORKER_ID": f"w{number}"}
            process = subprocess.Popen(command, env=self.run.environment(settings), cwd=HERE, stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=self.run.log, text=True)
            self.processes.append(process)
            threading.Thread(target=self.read, args=(number, process), daemon=True).start()
        return self

    def read(self, number, process):
        for line in process.stdout:
            if line.startswith("C "):
                self.counts[number] = int(line.split()[1])
            elif line.startswith("READY"):
                self.ready[number].set()

    def done(self):
        return sum(self.counts)

    def work_off(self, workflows):
        """Waits until so many are done; returns the seconds since the last process was ready."""
        until = time.monotonic() + PATIENCE
        for ready in self.ready:
            while not ready.wait(0.05):
                self.check(until)
        started = time.monotonic()
        while self.done() < workflows:
            self.check(until)
            time.sleep(0.02)
        return time.monotonic() - started

    def check(self, until):
        if any(process.poll() is not None for process in self.processes):
            raise Skipped(f"a worker ended: {last_line(self.run.log)}")
        if time.monotonic() > until:
            raise Skipped(f"only {self.done()} workflows were done within {PATIENCE} s")

    def __exit__(self, *_):
        for process in self.processes:
            try:
                process.stdin.write("\n")
                process.stdin.close()
            except OSError:
                pass
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def document(output):
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if not lines:
        raise Skipped(f"it printed no figures: {output[-200:]!r}")
    return json.loads(lines[-1])


def last_line(log):
    lines = Path(log.name).read_text(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "it said nothing"


def installed(peer):
    """Raises with the reason if the peer's packages could not be installed."""
    sources = ["npm", "PyPI"] if peer.package == "absurd-sdk" else [peer.source]
    for source in sources:
        reason = os.environ.get(f"{source.upper()}_MISSING", "")
        if reason:
            raise Skipped(reason)


def measure(peer, arguments):
    installed(peer)
    workflows = arguments.workflows or peer.workflows
    alone = min(peer.alone, workflows)
    rounds = []
    with open(HERE / f"{Path(peer.command[-1]).stem}.{peer.source}.log", "w", encoding="utf-8") as log:
        for number in range(1, arguments.rounds + 1):
            print(f"measuring: {peer.name}, round {number} of {arguments.rounds}", file=sys.stderr, flush=True)
            run = Run(peer, log)
            run.prepare()
            figures = {"enqueues": run.enqueue(workflows)} if peer.queued else {}
            figures |= run.throughput(workflows)
            run.prepare()
            figures["alone"] = run.alone(alone)
            rounds.append(figures)
            psql(f"DROP DATABASE {run.database} WITH (FORCE)")
    return {key: statistics.median(figures[key] for figures in rounds) for key in rounds[0]}


def row(peer, figures):
    def shown(key, digits):
        return f"{figures[key]:,.{digits}f}" if key in figures else "–"

    def few(key):
        return shown(key, 2 if figures[key] < 1 else 1)

    name = f"{peer.name} {version(peer)}".strip() + (f", {peer.note}" if peer.note else "")
    cells = [name, shown("workflows", 0), few("commits"), few("statements"), shown("wal", 1), shown("alone", 1),
             shown("enqueues", 0)]
    return "| " + " | ".join(cells) + " |"


def table(arguments, peers):
    settings = psql("SELECT string_agg(name || ' ' || current_setting(name), ', ' ORDER BY name) FROM pg_settings "
                    "WHERE name IN ('fsync', 'synchronous_commit', 'shared_buffers', 'server_version')")
    rounds = "one run each" if arguments.rounds == 1 else f"medians of {arguments.rounds} runs each"
    rows, skipped = [], []
    for peer in peers:
        try:
            rows.append(row(peer, measure(peer, arguments)))
        except (Skipped, subprocess.TimeoutExpired) as reason:
            skipped.append(f"skipped: {peer.name}: {reason}")
            print(skipped[-1], file=sys.stderr, flush=True)
    print(f"PostgreSQL ({settings}), {os.cpu_count()} processors, {rounds}.\n")
    print(f"| | workflows/s | commits per workflow | statements | WAL, kB | one alone, p50, ms | enqueues/s, {ENQUEUE_CLIENTS} clients |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join([*rows, *(f"\n{line}" for line in skipped)]))
    return 0 if rows else 1


def number(text):
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("use a number above 0")
    return int(text)


def main():
    names = {peer.name.split(" (")[0].lower() for peer in PEERS}
    parser = argparse.ArgumentParser(prog="scripts/peers.sh", description="Engines side by side on a PostgreSQL of their own.")
    parser.add_argument("--workflows", type=number, help="of each engine [default: each engine's own, 1,200 to 50,000]")
    parser.add_argument("--rounds", type=number, default=3, help="medians of so many runs [default: 3]")
    parser.add_argument("--only", action="append", choices=sorted(names), help="this engine; may be repeated")
    arguments = parser.parse_args()
    if os.environ.get("PEERS_CHECK_ARGUMENTS"):
        return 0
    # So that what was started is ended when the script is told to stop.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = [peer for peer in PEERS if not arguments.only or peer.name.split(" (")[0].lower() in arguments.only]
    psql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements; CREATE EXTENSION IF NOT EXISTS pg_walinspect")
    return table(arguments, chosen)


if __name__ == "__main__":
    sys.exit(main())
