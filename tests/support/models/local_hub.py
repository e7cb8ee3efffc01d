"""A small Hugging Face hub on a local port: what its client asks for when it fetches files."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STORAGE = "/storage/"  # large files are elsewhere, behind a redirection
REVISION = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """One repository; `requests` are the paths asked for; `cuts` breaks downloads off:
    each takes the next number of bytes after which the connection is closed."""

    def __init__(self, repository: str, files: Mapping[str, bytes]):
        self.repository = repository
        self.files = dict(files)
        self.served = dict(files)  # what is really sent, which a test may damage
        self.requests: list[str] = []
        self.ranges: list[str] = []
        self.cuts: list[int] = []
        self.resumes = True  # whether it understands Range
        self.url = ""

    def description(self) -> bytes:
        siblings = [
            {
                "rfilename": name,
                "size": len(data),
                "blobId": blob_id(data),
                **({} if name.endswith(".json") else {"lfs": lfs(data)}),
            }
            for name, data in self.files.items()
        ]
        answer = {"id": self.repository, "sha": REVISION, "siblings": siblings}
        return json.dumps(answer).encode()


def blob_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def lfs(data: bytes) -> dict[str, object]:
    return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}


@contextmanager
def serving(repository: str, files: Mapping[str, bytes]) -> Iterator[Hub]:
    hub = Hub(repository, files)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            hub.requests.append(self.path)
            path = self.path.partition("?")[0]
            if path == f"/api/models/{hub.repository}":
                return self.send(200, hub.description(), {})
            prefix = f"/{hub.repository}/resolve/{REVISION}/"
            name = path.removeprefix(prefix).removeprefix(STORAGE)
            if not path.startswith((prefix, STORAGE)) or name not in hub.served:
                return self.send(404, b"", {"X-Error-Code": "EntryNotFound"})
            if path.startswith(prefix) and not name.endswith(".json"):
                return self.send(302, b"", {"Location": f"{hub.url}{STORAGE}{name}"})
            data, headers = hub.served[name], {"Accept-Ranges": "bytes"}
            status = 200
            if wanted := self.headers.get("Range"):
                hub.ranges.append(wanted)
                start = int(wanted.removeprefix("bytes=").partition("-")[0])
                if not hub.resumes:
                    start = 0
                headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
                data, status = data[start:], 206 if hub.resumes else 200
            return self.send(status, data, headers)

        def send(self, status: int, data: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(key, value)
            self.end_headers()
            if hub.cuts and self.path.startswith(STORAGE):
                data = data[: hub.cuts.pop(0)]
                self.close_connection = True
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
