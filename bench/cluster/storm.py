"""15,000 clients are cut at once and come back through nginx with their cursors, while people go on talking. uproar_load checks that each hears each message once.

Database queries are those that PostgreSQL counts (pg_stat_statements), by kind of session: all of the nodes'. The same storm with a third of the clients in
as many conversations tells whether they grow with clients or with conversations."""

import threading
import time

from load import faults_of, load

ROOMS = 150
SAMPLE_SECONDS = 0.1
REFUSALS = ("overloaded", "refused", "limited", "unserved", "exhausted", "shed")


def measure(cluster, chosen):
    cluster.sql("create extension if not exists pg_stat_statements")
    clients = chosen.clients or 15000
    figures, lines, is_well = {}, [], True
    for number in sorted({clients // 3 // ROOMS * ROOMS, clients // ROOMS * ROOMS}):
        one = one_storm(cluster, chosen, number)
        figures[str(number)] = one
        is_well = is_well and not one["faults"]
        lines.append(f"{number} clients in {ROOMS} conversations: all back after {one['seconds']:.2f} s, cut to back p50 {one['p50_ms']:.0f} p99 {one['p99_ms']:.0f} ms; "
                     f"{one['queries']} database queries meanwhile ({one['queries_per_second_before']:.0f} a second before); "
                     f"{one['handshakes_again']} handshakes made again{of(one['first_handshake_again'])}, {one['turned_away']} turned away{of(one['first_turned_away'])}; "
                     f"refusals counted by nodes: {one['refusals'] or 'none'}, errors of nginx: {one['proxy_errors_count']}{of(''.join(one['proxy_errors'][:1]))}; faults: {one['faults'] or 'none'}")
    return figures, "\n".join(lines), is_well


def of(text):
    return f" (first: {text})" if text else ""


def one_storm(cluster, chosen, clients):
    watch = Watch(cluster)
    world = str(cluster.folder / f"world-{clients}")
    settings = (f"rooms.rooms={ROOMS}", f"rooms.members={clients // ROOMS}")
    load(cluster, chosen, "reconnect", ports=[cluster.nginx.port], pids=(), target="uproar-resume", settings=settings, extra=("--world", world, "--only-prepare"))
    refused_before = refusals_of(cluster)
    proxy_before = len(proxy_errors(cluster))
    with watch:
        result = load(cluster, chosen, "reconnect", ports=[cluster.nginx.port], pids=[node.pid() for node in cluster.nodes], target="uproar-resume", settings=settings,
                      extra=("--world", world), timeout=280)
    refused = {name: value - refused_before.get(name, 0) for name, value in refusals_of(cluster).items() if value > refused_before.get(name, 0)}
    begin = result["begin_ns"] / 1e9
    end = begin + result["reconnect_seconds"]
    calm = watch.calls_at(begin) - watch.calls_at(begin - 2)
    return {"clients": clients, "conversations": ROOMS, "came_back": result["reconnect_us"]["count"], "seconds": result["reconnect_seconds"],
            "p50_ms": result["reconnect_us"]["p50"] / 1000, "p99_ms": result["reconnect_us"]["p99"] / 1000, "max_ms": result["reconnect_us"]["max"] / 1000,
            "queries": watch.calls_at(end) - watch.calls_at(begin), "queries_per_second_before": calm / 2, "queries_by_text": watch.by_text(),
            "handshakes_again": result["retried"], "first_handshake_again": result["first_retried"],
            "turned_away": result["turned_away"], "first_turned_away": result["first_turned_away"], "refusals": refused, "proxy_errors": proxy_errors(cluster)[proxy_before:][:3],
            "proxy_errors_count": len(proxy_errors(cluster)) - proxy_before, "load_busy": result["storm_busy"],
            "server_cpu_us_per_reconnect": result["server"]["reconnect_cpu_us"], "messages": result["traffic"][0]["publishes"], "deliveries": result["traffic"][0]["deliveries"],
            "faults": faults_of(result) | ({} if result["reconnect_us"]["count"] == clients else {"not_back": clients - result["reconnect_us"]["count"]})}


def proxy_errors(cluster):
    log = cluster.nginx.folder / "error.log"
    return [line for line in log.read_text(errors="replace").splitlines() if "[error]" in line or "[alert]" in line or "[crit]" in line] if log.exists() else []


def refusals_of(cluster):
    """Counters of all nodes, in sum, whose names speak of a refusal."""
    found = {}
    for node in cluster.nodes:
        for line in node.metrics().splitlines():
            name = line.partition("{")[0].partition(" ")[0]
            if not line.startswith("#") and name.endswith("_total") and set(REFUSALS) & set(name.split("_")):
                found[name] = found.get(name, 0) + float(line.rpartition(" ")[2])
    return found


class Watch:
    """How many statements PostgreSQL has run for the nodes, over time (time.monotonic() and the load tool's clock are one)."""

    QUERY = "select coalesce(sum(calls), 0) from pg_stat_statements s join pg_database d on d.oid = s.dbid where d.datname = 'uproar' and query not like '%pg_stat_statements%'"

    def __init__(self, cluster):
        self.cluster, self.samples, self.is_over = cluster, [], threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.cluster.sql("select pg_stat_statements_reset()")
        self.thread.start()

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()

    def run(self):
        while not self.is_over.wait(SAMPLE_SECONDS):
            self.samples.append((time.monotonic(), int(self.cluster.sql(self.QUERY))))

    def calls_at(self, when):
        """At the last look before, or the first there was."""
        return next((calls for at, calls in reversed(self.samples) if at <= when), self.samples[0][1])

    def by_text(self):
        rows = self.cluster.sql("select calls, regexp_replace(left(query, 70), '\\s+', ' ', 'g') from pg_stat_statements s join pg_database d on d.oid = s.dbid "
                                "where d.datname = 'uproar' order by calls desc limit 8").splitlines()
        return [{"calls": int(row.partition("|")[0]), "query": row.partition("|")[2]} for row in rows]
