"""A stand-in for W&B's server, on 127.0.0.1: keeps in dictionaries what the real client sends, and hands out sweeps.

It answers what `wandb.init`, `log`, `finish`, `wandb sync`, `wandb sweep` and `wandb agent` ask for, and anything else
with {}. Of W&B's search methods it knows none: a sweep is its values in order, as a grid, up to run_cap.
"""

import gzip
import itertools
import json
import re
import threading
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import yaml

KEY = "0123456789" * 4


class WandbServer(ThreadingHTTPServer):
    """`runs` and `sweeps` by id; `requests` is the list of all there were, GraphQL operations by their name.

    `refused` makes it refuse: an HTTP status by the name of an operation, or by "file_stream". What is `swallowed` is
    never answered.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.key, self.up, self.lock = KEY, True, threading.Lock()
        self.runs, self.sweeps, self.requests, self.refused, self.swallowed = {}, {}, [], {}, set()
        self.ended = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def die(self):
        """From one moment to the next nobody answers, on open connections neither."""
        self.up = False
        self.ended.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """A client that hangs up is no error."""

    # --- GraphQL: an operation is the method of its name, from the operation's variables to its data ---

    def Viewer(self, _):
        return {"viewer": {"id": "me", "entity": "me", "username": "me", "flags": "{}", "teams": {"edges": []}}}

    def UpsertBucket(self, given):
        """A run begins, or more is known of it; what is not given stays."""
        id = given.get("name") or given["id"]
        new = dict.fromkeys(("project", "group", "name", "sweep", "summary", "exit_code"))
        run = self.runs.setdefault(id, new | {"state": "running", "config": {}, "history": [], "files": {}})
        keys = {"project": "project", "groupName": "group", "displayName": "name", "sweep": "sweep"}
        run.update({key: given[name] for name, key in keys.items() if given.get(name)})
        config = json.loads(given.get("config") or "{}")
        run["config"].update({key: entry["value"] for key, entry in config.items() if key != "_wandb"})
        project = {"name": run["project"], "entity": {"name": "me"}}
        bucket = {"id": id, "name": id, "displayName": run["name"], "sweepName": run["sweep"], "project": project}
        return {"upsertBucket": {"bucket": bucket, "inserted": True}}

    def CreateRunFiles(self, given):
        files = [{"name": name, "uploadUrl": f"{self.url}/put/{given['run']}/{name}"} for name in given["files"]]
        return {"createRunFiles": {"runID": given["run"], "uploadHeaders": [], "files": files}}

    def UpsertSweep(self, given):
        config = yaml.safe_load(given["config"])
        some = [entry.get("values") or [entry["value"]] for entry in config["parameters"].values()]
        points = (dict(zip(config["parameters"], point, strict=True)) for point in itertools.product(*some))
        id = f"sweep{len(self.sweeps)}"
        self.sweeps[id] = {
            "config": config,
            "runs": {},
            "agents": {},
            "points": itertools.islice(points, config.get("run_cap")),
        }
        project = {"name": given["projectName"], "entity": {"name": "me"}}
        return {"upsertSweep": {"sweep": {"name": id, "project": project}, "configValidationWarnings": []}}

    def SweepWithRuns(self, given):
        config = yaml.safe_dump(self.sweeps[given["sweep"]]["config"])
        return {"project": {"sweep": {"id": given["sweep"], "config": config, "runs": {"edges": []}}}}

    def CreateAgent(self, given):
        id = f"{given['sweep']}/{len(self.requests)}"
        self.sweeps[given["sweep"]]["agents"][id] = "at work"
        return {"createAgent": {"agent": {"id": id}}}

    def Heartbeat(self, given):
        """An agent that has nothing to do gets the next run of its sweep, or its leave."""
        sweep, commands = self.sweeps[given["id"].partition("/")[0]], []
        if not json.loads(given["runState"]):
            if point := next(sweep["points"], None):
                id = f"run{len(self.runs) + len(sweep['runs'])}"
                sweep["runs"][id] = {"agent": given["id"], "config": point}
                args = {key: {"value": value} for key, value in point.items()}
                commands = [{"type": "run", "run_id": id, "program": sweep["config"]["program"], "args": args}]
            else:
                sweep["agents"][given["id"]] = "dismissed"
                commands = [{"type": "exit"}]
        return {"agentHeartbeat": {"agent": {"id": given["id"]}, "commands": json.dumps(commands)}}

    # --- the rest ---

    def file_stream(self, id, given):
        """Rows by their place in the history, so that what is sent twice is kept once."""
        run, files = self.runs[id], given.get("files") or {}
        if history := files.get("wandb-history.jsonl"):
            rows = [json.loads(row) for row in history["content"]]
            run["history"][history["offset"] : history["offset"] + len(rows)] = rows
        if summary := files.get("wandb-summary.json"):
            run["summary"] = json.loads(summary["content"][-1])
        if given.get("complete"):
            run["exit_code"] = given["exitcode"]
            run["state"] = "failed" if given["exitcode"] else "finished"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections, as the client expects

    def log_message(self, *_):
        pass

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if not self.server.up:
            self.close_connection = True
            return
        if any(f" {name}".encode() in body for name in self.server.swallowed):
            self.server.ended.wait()
            return
        with self.server.lock:
            status, data = self.handle_body(body)
        data = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = answer

    def handle_body(self, body):
        """The status and the data of an answer."""
        server, path = self.server, self.path.strip("/").split("/")
        given = json.loads(body) if path[-1] in ("graphql", "file_stream") else {}
        what = re.search(r"(?:query|mutation)\s+(\w+)", given["query"])[1] if path == ["graphql"] else path[-1]
        server.requests.append(what)
        key = "Basic " + b64encode(f"api:{server.key}".encode()).decode()
        status = server.refused.get(what, 200)
        if path[-1] in ("graphql", "file_stream") and self.headers.get("Authorization") != key:
            status = 401
        if status != 200:
            return status, {"errors": [{"message": "refused"}], "error": "refused"}
        if path == ["graphql"]:
            return status, {"data": getattr(server, what, lambda _: {})(given.get("variables") or {})}
        if path[-1] == "file_stream":
            server.file_stream(path[-2], given)
        elif path[0] == "put":
            server.runs[path[1]]["files"][path[2]] = body.decode(errors="replace")
        return status, {}
