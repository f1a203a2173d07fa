"""What the peers in Python have in common: the six steps, their results of about 300 bytes, and the modes' output."""

import json
import os
import random
import sys
import threading
import time

STEPS = ["classify", "extract", "research", "draft", "review", "finalize"]
URL = os.environ["DATABASE_URL"]
MODE = sys.argv[1]
# Workflows of `enqueue` and `lat`; what `work` does at once.
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 0
CLIENTS = int(sys.argv[3]) if len(sys.argv) > 3 else 16


class Noted:
    """What the workflows note of themselves: how many are done, and when the first step of the last one began."""

    def __init__(self):
        self.done = 0
        self.begun = 0.0
        self._lock = threading.Lock()

    def begin(self):
        self.begun = time.perf_counter()

    def end(self):
        with self._lock:
            self.done += 1


noted = Noted()


def payload(number, step):
    return {"step": step, "id": number, "ok": True, "text": "x" * 240}


def say(document):
    print(json.dumps(document), flush=True)


def report_progress():
    """`work`: says how many workflows are done, from a thread of its own."""

    def report():
        print("READY", flush=True)
        while True:
            time.sleep(0.2)
            print("C", noted.done, flush=True)

    threading.Thread(target=report, daemon=True).start()


def until_told():
    """`work`: waits for a line or the end of the input."""
    sys.stdin.readline()


def pause():
    """Between two workflows of `lat`, so that none profits from the one before."""
    return 0.01 + random.random() * 0.03


def end():
    """Ends the process at once: the engines' own threads need not be waited for."""
    sys.stdout.flush()
    os._exit(0)
