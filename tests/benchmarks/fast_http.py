"""Load by Locust's own FastHttpUser: `python -m tests.benchmarks.fast_http URL USERS SECONDS`.

Prints how many requests a second it sent, and the CPU seconds it spent, in that time.
"""

import sys
import time

import gevent
from locust import FastHttpUser, task
from locust.env import Environment

# Connections are made and code paths are warm before requests are counted.
WARM_UP_S = 0.5


class Visitor(FastHttpUser):
    @task
    def visit(self) -> None:
        self.client.get("/")


def main() -> None:
    host, users, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    environment = Environment(user_classes=[Visitor], host=host)
    runner = environment.create_local_runner()
    runner.start(users, spawn_rate=users)
    gevent.sleep(WARM_UP_S)
    total = environment.stats.total
    began, cpu_s, requests, failures = (
        time.perf_counter(),
        time.process_time(),
        total.num_requests,
        total.num_failures,
    )
    gevent.sleep(seconds)
    took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_s
    good = (total.num_requests - requests) - (total.num_failures - failures)
    runner.quit()
    sys.stdout.write(f"{good / took_s} {cpu_s / took_s}\n")


if __name__ == "__main__":
    main()
