"""A server with one pod, whose container is a folder: commands run there and speak as `exec` does."""

import asyncio
import json
import subprocess
import threading

from aiohttp import WSMsgType, web

STDIN, STDOUT, STDERR, STATUS, CLOSE = 0, 1, 2, 3, 255
PODS = {"resource": "pods", "responseKind": {"kind": "Pod"}, "scope": "Namespaced", "singularResource": "pod"}
GROUP = {"metadata": {"name": ""}, "versions": [{"version": "v1", "resources": [PODS]}]}


class PodServer:
    """Serves between enter and exit. `phase` is the pod's; `commands` are those that were run."""

    def __init__(self, folder):
        self.folder = folder
        self.phase = "Running"
        self.commands = []
        self.headers = []
        self.url = ""
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *exception):
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    async def _serve(self):
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        runner = web.ServerRunner(web.Server(self._handle))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._ready.set()
        await self._end.wait()
        await runner.cleanup()

    async def _handle(self, request):
        self.headers.append(request.headers)
        if request.path in ("/api", "/apis"):
            return web.json_response({"items": [GROUP] if request.path == "/api" else []})
        if request.path.endswith("/exec"):
            return await self._exec(request)
        if request.path.endswith("/pods/p"):
            return web.json_response(
                {
                    "metadata": {"name": "p", "namespace": request.path.split("/")[4]},
                    "spec": {"containers": [{"name": "main"}]},
                    "status": {"phase": self.phase},
                }
            )
        status = {"reason": "NotFound", "message": 'pods "none" not found', "code": 404}
        return web.json_response(status, status=404)

    async def _exec(self, request):
        socket = web.WebSocketResponse(protocols=["v5.channel.k8s.io"])
        await socket.prepare(request)
        words = request.query.getall("command")
        self.commands.append(words)
        given = b""
        if "stdin" in request.query:
            async for message in socket:
                assert message.type is WSMsgType.BINARY
                if message.data[0] == CLOSE:
                    break
                given += message.data[1:]
        done = await asyncio.to_thread(
            subprocess.run, words, cwd=self.folder, input=given, capture_output=True, check=False
        )
        for channel, text in ((STDOUT, done.stdout), (STDERR, done.stderr)):
            for start in range(0, len(text), 1000):
                await socket.send_bytes(bytes([channel]) + text[start : start + 1000])
        causes = [{"reason": "ExitCode", "message": str(done.returncode)}]
        status = {"status": "Failure", "message": "it failed", "details": {"causes": causes}}
        status = status if done.returncode else {"status": "Success"}
        await socket.send_bytes(bytes([STATUS]) + json.dumps(status).encode())
        await socket.close()
        return socket
