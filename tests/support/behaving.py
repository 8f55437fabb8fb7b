"""Server with a known behaviour: `python behaving.py PORT BEHAVIOUR [N]`.

ok: responds at once; wait: after 20 ms; slow: after a second; short: closes each connection after
a response, unannounced; impatient: closes one that is idle for 0.2 s. The others misbehave after N
right responses (0 by default). die: prints a line and exits; error: status 500; redirect: to
itself; garbage: not HTTP; silent: no response; hang_up: closes within a response; drip: a byte a
second; endless, flood and headers: a body with a length, one without, or header lines, endlessly
and as fast as possible.
"""

import asyncio
import os
import sys

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
HEAD = b"HTTP/1.1 200 OK\r\n"
LONG = HEAD + b"content-length: 50\r\n\r\n"
LINE = b"x-more: of this\r\n" * 4096
INSTEAD = {
    "error": b"HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\nno",
    "redirect": b"HTTP/1.1 307 Go\r\nlocation: /\r\ncontent-length: 0\r\n\r\n",
    "garbage": b"what?\r\n\r\n",
    "ok": ANSWER,
    "impatient": ANSWER,
    "wait": ANSWER,
    "slow": ANSWER,
    "hang_up": ANSWER[:-1],
    "short": ANSWER,
}
WAITS_S = {"wait": 0.02, "slow": 1.0}


class Behaviour:
    def __init__(self, name: str, good: int) -> None:
        self._name, self._good = name, good
        self._patience_s = 0.2 if name == "impatient" else None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), self._patience_s):
                if wait_s := WAITS_S.get(self._name):
                    await asyncio.sleep(wait_s)
                if self._good > 0:
                    self._good -= 1
                    writer.write(ANSWER)
                else:
                    await self._misbehave(writer)
                    if self._name in ("hang_up", "short"):
                        break
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            pass
        writer.close()

    async def _misbehave(self, writer: asyncio.StreamWriter) -> None:
        match self._name:
            case "silent":
                await asyncio.sleep(3600)
            case "die":
                sys.stderr.write("out of luck\n")
                sys.stderr.flush()
                os._exit(7)
            case "drip":
                await _without_end(writer, LONG, b"x", 1.0)
            case "endless":
                await _without_end(writer, HEAD + b"content-length: 999999999999\r\n\r\n", LINE)
            case "flood":
                await _without_end(writer, HEAD + b"\r\n", LINE)
            case "headers":
                await _without_end(writer, HEAD, LINE)
            case name:
                writer.write(INSTEAD[name])


async def _without_end(
    writer: asyncio.StreamWriter, head: bytes, part: bytes, pause_s: float = 0.0
) -> None:
    writer.write(head)
    while True:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(pause_s)


async def main() -> None:
    port, name = int(sys.argv[1]), sys.argv[2]
    good = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    server = await asyncio.start_server(Behaviour(name, good).serve, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
