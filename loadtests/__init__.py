"""The load: runs inside Locust, in a process of its own, because Locust monkey-patches it."""
