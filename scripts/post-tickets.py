"""Posts tickets from several clients, as fast as a few a second each, until told to stop; used by scripts/upgrade-check.sh.

    post-tickets.py URL_FILE ACKNOWLEDGED_FILE

Each client reads before each post where the API is now. The id of every ticket that was answered with 201 is appended to the one
file, as `client id url`; whatever else came of a post is said on standard error, and makes the program end with 1.
"""

import json
import signal
import sys
import threading
import urllib.request
from pathlib import Path

CLIENTS = 4
# Between two posts of a client, in seconds.
PAUSE = 0.15
TEXTS = [
    ("Charged twice", "I was charged 49.90 EUR twice for invoice INV-2026-0042. Please check the second charge."),
    ("App crashes", "The app v4.12.1 crashes with error E1042 whenever I open my calendar. What can I do?"),
    ("Where is my parcel?", "My order ORD-48213 was due last week. Can you tell me where it is?"),
    ("Cannot sign in", "I forgot my password and the reset link never arrives. Please help me sign in."),
]


class Poster:
    def __init__(self, url_file, acknowledged):
        self.url_file, self.acknowledged = Path(url_file), acknowledged
        self.stopped, self.lock = threading.Event(), threading.Lock()
        self.refused = 0

    def post(self, client, number):
        subject, text = TEXTS[number % len(TEXTS)]
        ticket = {
            "subject": f"{subject} ({client}/{number})",
            "body": f"{text} My reference is {client}/{number}.",
            "customer_id": f"customer-{client}-{number % 17}",
        }
        url = self.url_file.read_text().strip()
        request = urllib.request.Request(
            f"{url}/tickets", json.dumps(ticket).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                if answer.status != 201:
                    raise ValueError(f"answered {answer.status}")
                identity = json.load(answer)["ticket_id"]
        except (OSError, ValueError, KeyError) as error:
            with self.lock:
                self.refused += 1
                print(f"refused by {url}: {error}", file=sys.stderr, flush=True)
            return
        with self.lock:
            print(client, identity, url, file=self.acknowledged, flush=True)

    def go_on(self, client):
        number = 0
        while not self.stopped.is_set():
            self.post(client, number)
            number += 1
            self.stopped.wait(PAUSE)


def main():
    with open(sys.argv[2], "a", encoding="utf-8") as acknowledged:
        poster = Poster(sys.argv[1], acknowledged)
        signal.signal(signal.SIGTERM, lambda *_: poster.stopped.set())
        # The environment's proxies are not for this machine's own API.
        urllib.request.install_opener(urllib.request.build_opener(urllib.request.ProxyHandler({})))
        clients = [threading.Thread(target=poster.go_on, args=(number,)) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
    return 1 if poster.refused else 0


if __name__ == "__main__":
    sys.exit(main())
