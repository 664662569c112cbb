"""nginx over the same folder: what a plain file server makes of the same bytes."""

import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.support import tools
from tests.support.servers import free_port, wait_for_port

_CONFIG = """
daemon off;
master_process off;
error_log {folder}/error.log;
pid {folder}/pid;
{user}
events {{ worker_connections 256; }}
http {{
  access_log off;
  sendfile on;
  keepalive_requests 100000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


def nginx_binary() -> str | None:
    """Return nginx where it is installed."""
    return tools.TOOLS["nginx"].find()


@contextmanager
def serving(binary: str, root: Path) -> Generator[tuple[int, int]]:
    """Serve a folder with one process; yields its pid and port."""
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        config = Path(name) / "nginx.conf"
        config.write_text(_CONFIG.format(folder=name, root=root, port=port, user="user root;"))
        process = subprocess.Popen([binary, "-p", name, "-c", str(config)])
        try:
            wait_for_port(port)
            yield process.pid, port
        finally:
            process.terminate()
            process.wait()
