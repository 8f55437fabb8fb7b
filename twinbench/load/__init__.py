"""The load, sent by Locust in a process of its own, since importing it patches the process."""
