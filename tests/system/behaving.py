"""A server that behaves as told: `python behaving.py PORT BEHAVIOUR [N]`.

ok: answers at once; wait: after 20 ms; freeze: N answers, then none; die: N answers, then exits
with a last word; error: status 500; garbage: not HTTP; silent: never answers; hang_up: closes
in the middle of an answer; short: closes each connection right after an answer, unannounced.
"""

import asyncio
import os
import sys

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
ERROR = b"HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\nno"


class Behaviour:
    def __init__(self, name: str, limit: int) -> None:
        self._name, self._limit, self._answered = name, limit, 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(await self._answer())
                if self._name in ("hang_up", "short"):
                    writer.close()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self) -> bytes:
        self._answered += 1
        spent = self._answered > self._limit
        if self._name == "silent" or (self._name == "freeze" and spent):
            await asyncio.sleep(3600)
        if self._name == "die" and spent:
            sys.stderr.write("out of luck\n")
            sys.stderr.flush()
            os._exit(7)
        if self._name == "wait":
            await asyncio.sleep(0.02)
        wrong = {"error": ERROR, "garbage": b"what?\r\n\r\n", "hang_up": ANSWER[:-1]}
        return wrong.get(self._name, ANSWER)


async def main() -> None:
    port, name = int(sys.argv[1]), sys.argv[2]
    limit = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    server = await asyncio.start_server(Behaviour(name, limit).serve, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
