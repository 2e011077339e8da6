"""nginx with Fast Open, in the server's namespace of a bed."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

import psutil

from .bed import Bed, Namespace, until
from .conftest import cannot

PORT = 8080
NGINX = """
daemon off; master_process on; worker_processes 1; pid {path}/nginx.pid; error_log {path}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {path}/body; proxy_temp_path {path}/proxy; fastcgi_temp_path {path}/fastcgi;
  uwsgi_temp_path {path}/uwsgi; scgi_temp_path {path}/scgi;
  server {{ listen {port} fastopen=64; listen [::]:{port} ipv6only=on fastopen=64;
           location / {{ return 200 "hello\\n"; }} }}
}}
"""


def need(*programs: str) -> None:
    if missing := [p for p in programs if not shutil.which(p)]:
        cannot(f"this test needs {', '.join(missing)}")


def nginx(bed: Bed, text: str = NGINX) -> int:
    """nginx in the server's namespace, configured by `text`; the pid of its master."""
    os.chmod(bed.path, 0o755)
    config = Path(bed.path, "nginx.conf")
    config.write_text(text.format(path=bed.path, port=PORT))
    # A process group of its own, ended as a whole with the bed: the master would leave its worker behind.
    process = bed.server.popen(["nginx", "-c", str(config), "-e", f"{bed.path}/error.log"])
    bed.server.closing(Workers(process.pid))
    until(lambda: listening(bed.server), 10, "nginx listens")
    return process.pid


class Workers:
    def __init__(self, master: int) -> None:
        self._master = master

    def close(self) -> None:
        """End master and workers, and wait for them."""
        with suppress(psutil.NoSuchProcess):
            master = psutil.Process(self._master)
            family = [master, *master.children(recursive=True)]
            for process in family:
                with suppress(psutil.NoSuchProcess):
                    process.terminate()
            psutil.wait_procs(family, 5)


def listening(namespace: Namespace) -> bool:
    return f":{PORT}" in namespace.command("ss", "-Hltn")
