"""Errors whose text a user reads: one line of bounded length."""

# Three lines of a terminal: what is longer is a value or a path, of which both ends tell enough.
MOST_CHARACTERS = 300
LEFT_OUT = " ... "


class UserError(Exception):
    """Error of one sentence: what is wrong, where, what to do."""

    def __init__(self, sentence: str) -> None:
        super().__init__(one_line(sentence))


def one_line(text: str, most: int = MOST_CHARACTERS) -> str:
    """Return `text` with escapes for what cannot be seen, without its middle if it is too long."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else _escaped(c) for c in text)
    if len(text) <= most:
        return text
    # More of the end: a sentence begins with a path and ends with what is wrong.
    head = most // 3
    return text[:head] + LEFT_OUT + text[head + len(LEFT_OUT) - most :]


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
