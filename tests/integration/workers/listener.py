"""A server that counts who connects, and answers each request; or, as a proxy, tunnels nowhere."""

import socket
import threading
from contextlib import suppress

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


class Listener:
    """`connections` counts those that were accepted; `heads` are the first lines of requests.

    `answer` is sent to each request, and the connection is closed. To a CONNECT `tunnel` is sent
    first; None: it is a request like any other. `context`: of TLS, if it speaks that.
    """

    def __init__(self, host="127.0.0.1", answer=OK, tunnel=None, context=None):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.create_server(
            (host, 0), family=family, backlog=256, dualstack_ipv6=host == "::"
        )
        self.port = self.socket.getsockname()[1]
        self.answer, self.tunnel, self.context = answer, tunnel, context
        self.connections = 0
        self.heads = []
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        with suppress(OSError):  # closed
            while True:
                connection, _ = self.socket.accept()
                self.connections += 1
                connection.settimeout(10)
                with connection, suppress(OSError):
                    if self.context is None:
                        self.speak(connection)
                    else:
                        with self.context.wrap_socket(connection, server_side=True) as secured:
                            self.speak(secured)

    def speak(self, connection):
        head = self.read_request(connection)
        if head.startswith(b"CONNECT") and self.tunnel is not None:
            connection.sendall(self.tunnel)
            head = self.read_request(connection)
        connection.sendall(self.answer)

    def read_request(self, connection):
        read = b""
        while b"\r\n\r\n" not in read and (part := connection.recv(65536)):
            read += part
        self.heads.append(read.partition(b"\r\n")[0])
        return read

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()
