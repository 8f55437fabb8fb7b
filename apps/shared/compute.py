"""CPU-bound work in pure Python: the GIL is held from the first step to the last."""


def digest(n: int) -> int:
    """A checksum over `n` steps of a linear congruential generator (about 70 ns a step)."""
    value = 1
    for _ in range(n):
        value = (value * 1_103_515_245 + 12_345) & 0x7FFF_FFFF
    return value
