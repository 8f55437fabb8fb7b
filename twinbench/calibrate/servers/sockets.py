"""Connections, and who of them has sent a request, in the order of arrival.

A request is a GET without a body: it arrives in one piece. A client sends the next one after the
answer, or several in one piece (none of ours does).
"""

import select
import socket

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
BROKEN = b"HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\nno"
# Whoever only looks whether the server is up says so; it is answered, and is no load.
PROBE = b"Connection: close"
HOST = "127.0.0.1"
BACKLOG = 4096  # a frozen server must not refuse those who come meanwhile
READ_BYTES = 65_536
# Edge-triggered, connections are listed as they became ready; level-triggered, one that was
# listed before keeps its old place, and who came first would be served second.
ARRIVALS = select.EPOLLIN | select.EPOLLET | select.EPOLLRDHUP


class Sockets:
    """The listening socket and all connections."""

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server((HOST, port), backlog=BACKLOG)
        self._listener.setblocking(False)
        self._epoll = select.epoll()
        self._epoll.register(self._listener, select.EPOLLIN)
        self._open: dict[int, socket.socket] = {}

    def arrived(self, wait_s: float | None) -> list[tuple[socket.socket, bytes]]:
        """Requests that are there, waited for up to `wait_s`, or (None) until there are some.

        Waiting is left to `select`: it counts in microseconds, `epoll` in whole milliseconds.
        """
        if wait_s != 0.0:
            select.select([self._epoll], [], [], wait_s)
        found = []
        for number, _ in self._epoll.poll(0):
            if number == self._listener.fileno():
                self._accept()
            elif data := self._read(number):
                found.append((self._open[number], data))
        return found

    def _read(self, number: int) -> bytes:
        """What `number` sent; it is forgotten once it has closed."""
        try:
            data = self._open[number].recv(READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._open.pop(number).close()
        return data

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open[connection.fileno()] = connection
            self._epoll.register(connection, ARRIVALS)


def answer(connection: socket.socket, data: bytes) -> None:
    """Answers are small: they go out whole, or their reader has gone."""
    try:  # noqa: SIM105  # a context manager would cost as much as the answer
        connection.send(data)
    except OSError:
        pass
