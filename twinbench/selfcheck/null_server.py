"""Server that does nothing but respond: `python null_server.py PORT`, ended by SIGTERM.

A script of the standard library only: it shares no code with the load generator. A request is a
GET without a body, which arrives in one piece.
"""

import gc
import select
import socket
import sys

HOST = "127.0.0.1"
RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
BACKLOG = 4096
READ_BYTES = 65_536


def serve(port: int) -> None:
    """Respond to every request at once, for ever."""
    listener = socket.create_server((HOST, port), backlog=BACKLOG)
    epoll = select.epoll()
    epoll.register(listener, select.EPOLLIN)
    connections: dict[int, socket.socket] = {}
    while True:
        for number, _ in epoll.poll():
            if number == listener.fileno():
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[connection.fileno()] = connection
                epoll.register(connection, select.EPOLLIN)
            elif not _respond(connections[number]):
                connections.pop(number).close()


def _respond(connection: socket.socket) -> bool:
    """Respond to the request that has arrived; return whether the connection is still open."""
    try:
        return bool(connection.recv(READ_BYTES)) and bool(connection.send(RESPONSE))
    except OSError:
        return False


if __name__ == "__main__":
    gc.disable()  # there are no cycles here, and a collection is a pause
    serve(int(sys.argv[1]))
