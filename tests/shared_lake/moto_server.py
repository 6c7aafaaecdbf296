"""An S3 server of one thread, so that its conditional writes are as atomic as S3's: run by moto's own interpreter.

Its port is chosen by the system and told as the first line of stdout.
"""

import sys

from moto.server import DomainDispatcherApplication, create_backend_app  # type: ignore[import-not-found]
from werkzeug.serving import make_server

if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=False)
    print(server.port, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)
