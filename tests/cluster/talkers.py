"""The other end of talk.mjs: one process of clients, spoken to in lines of JSON."""

import json
import pathlib
import queue
import subprocess
import threading

HERE = pathlib.Path(__file__).resolve().parent


class Broken(Exception):
    """The clients met what must never happen, or do not answer; the text has their words."""


class Gone(Broken):
    """Not what they met: they have ended or hang."""


class Talkers:
    def __init__(self, config, node_binary="node"):
        self.process = subprocess.Popen([node_binary, str(HERE / "talk.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        self.ask(config, 40)

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def ask(self, order, seconds):
        """The answer; talk.mjs keeps its own time, so `seconds` only ends what hangs."""
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
            line = self.lines.get(timeout=seconds)
        except BrokenPipeError:
            line = ""
        except queue.Empty:
            raise Gone(f"the clients do not answer {order.get('do', 'the beginning')} within {seconds} s") from None
        if not line:
            raise Gone(f"the clients ended with status {self.process.wait()}")
        answer = json.loads(line)
        if answer["said"] == "failed":
            raise Broken(answer["why"])
        return answer

    def count(self, from_ns, fresh_only):
        return self.ask({"do": "count", "from_ns": from_ns, "fresh_only": fresh_only}, 10)

    def recover(self, seconds):
        return self.ask({"do": "recover", "wait_ms": seconds * 1000}, seconds + 10)

    def gather(self):
        return self.ask({"do": "gather"}, 60)

    def finish(self, seconds):
        return self.ask({"do": "finish", "wait_ms": seconds * 1000}, 2 * seconds + 60)

    def judge(self, stored):
        return self.ask({"do": "judge", "stored": stored}, 60)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
