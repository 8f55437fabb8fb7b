"""How names and loads are written in a sentence, and what is read of them."""

import re

NAME = r"[a-z0-9][a-z0-9_-]*"
NAMES = rf"{NAME}(?:, {NAME})*(?: and {NAME})?"
NUMBER = r"[\d,]+"
UNIT = r"(?:users?|requests/s)"
RUN = rf"{NUMBER}(?: to {NUMBER})? {UNIT}"
RUNS = rf"at {RUN}(?:, {RUN})*(?: and {RUN})?"
CROSSING = rf"from about [\d.,]+ {UNIT}(?: \([\d.,]+ to [\d.,]+\))? on"
WHERE = rf"at every (?:load|rate)|from {RUN} on|up to {RUN}|{CROSSING}|{RUNS}"


def names_in(text: str) -> list[str]:
    return [name for name in re.split(r", | and ", text) if name and not name.endswith(" more")]


def loads_in(where: str, tried: list[int]) -> list[int]:
    numbers = [float(number.replace(",", "")) for number in re.findall(r"\d[\d.,]*", where)]
    if where.startswith("at every"):
        return tried
    if where.startswith("from"):
        return [load for load in tried if load >= numbers[0]]
    if where.startswith("up to"):
        return [load for load in tried if load <= numbers[0]]
    runs = [
        [float(n.replace(",", "")) for n in run.split(" to ")]
        for run in re.findall(rf"({NUMBER}(?: to {NUMBER})?) {UNIT}", where)
    ]
    return [load for load in tried if any(run[0] <= load <= run[-1] for run in runs)]
