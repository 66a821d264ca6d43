"""compose.yaml without an engine for containers: settings that the server knows, files that are there. UPROAR_BINARY names the server. What nginx does with
its nginx.conf has nginx_test.py."""

import ipaddress
import os
import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
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

    def test_the_nodes_believe_nginx_and_nobody_else(self):
        trusted = re.findall(r"--trusted-proxy=(\S+)", NODE)
        fixed = re.findall(r"ipv4_address: ([0-9.]+)", COMPOSE)
        self.assertEqual(trusted, fixed)
        subnet, given_out = (ipaddress.ip_network(re.search(rf"{name}: ([0-9./]+)", COMPOSE).group(1)) for name in ("subnet", "ip_range"))
        self.assertIn(ipaddress.ip_address(fixed[0]), subnet)
        self.assertNotIn(ipaddress.ip_address(fixed[0]), given_out)

    def test_nginx_knows_every_node(self):
        nodes = re.findall(r"server (\w+):8080", (ROOT / "tools/cluster/nginx.conf").read_text())
        self.assertEqual(nodes, [name for name in SERVICES if re.fullmatch(r"n\d+", name)])


if __name__ == "__main__":
    unittest.main()
