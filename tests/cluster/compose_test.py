"""compose.yaml and its nginx.conf without an engine for containers: settings that the server knows, files that are there, a configuration that nginx takes.
UPROAR_BINARY names the server."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "cluster"))

from services import program  # noqa: E402  the path comes first

COMPOSE = (ROOT / "compose.yaml").read_text()
NODE = re.search(r"^x-node:.*?(?=^services:)", COMPOSE, re.DOTALL | re.MULTILINE).group()
SERVICES = re.findall(r"^  (\w+):$", COMPOSE.split("\nservices:\n")[1].split("\nvolumes:\n")[0], re.MULTILINE)


class Compose(unittest.TestCase):
    def test_every_setting_is_one_of_the_server(self):
        known = subprocess.run([os.environ["UPROAR_BINARY"], "serve", "--help"], capture_output=True, text=True, check=True).stdout
        flags = re.findall(r"--([a-z-]+)=", NODE)
        flags += [name.lower().replace("_", "-") for name in re.findall(r"UPROAR_(\w+):", COMPOSE)]
        self.assertIn("postgres", flags)
        self.assertEqual([flag for flag in flags if not re.search(rf"--{flag}\b", known)], [])

    def test_every_file_is_there(self):
        files = re.findall(r"seccomp:(\S+)", COMPOSE) + re.findall(r"- (\./\S+?):", COMPOSE)
        self.assertEqual(len(files), 2)
        self.assertEqual([name for name in files if not (ROOT / name).is_file()], [])

    def test_nginx_knows_every_node(self):
        nodes = re.findall(r"server (\w+):8080", (ROOT / "tools/cluster/nginx.conf").read_text())
        self.assertEqual(nodes, [name for name in SERVICES if re.fullmatch(r"n\d+", name)])

    def test_nginx_takes_its_configuration(self):
        text = (ROOT / "tools/cluster/nginx.conf").read_text()
        with tempfile.TemporaryDirectory() as folder:
            # Names of other containers mean nothing here, and neither is it the machine's own nginx.
            text = re.sub(r"server n\d:8080", "server 127.0.0.1:9", text).replace("listen 8080", "listen 127.0.0.1:8080")
            limit = os.sysconf("SC_OPEN_MAX")
            text = text.replace("worker_rlimit_nofile 262144", f"worker_rlimit_nofile {limit}")
            temporary = "".join(f"  {name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
            configuration = pathlib.Path(folder) / "nginx.conf"
            configuration.write_text(f"pid {folder}/pid;\n" + text.replace("http {\n", "http {\n" + temporary))
            done = subprocess.run([program("nginx", "nginx-light"), "-t", "-e", f"{folder}/error.log", "-c", str(configuration)], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
