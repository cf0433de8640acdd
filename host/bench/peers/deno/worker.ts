// A peer for the benchmark `deno`, and no part of the product: the inner half of the usual way to run
// Python under Deno. Pyodide in a Web Worker, which executes code and asks the runner for what the
// host has. The other half is `main.ts`.

import { loadPyodide } from "pyodide";

/** What the host asks of the runner, and the runner of its worker. */
export type Request =
    | { id: string; type: "init" | "reset" | "close" }
    | { id: string; type: "exec"; code: string }
    | { id: string; type: "rpc_response"; ok: true; result: unknown }
    | { id: string; type: "rpc_response"; ok: false; error: { type: string; message: string } };

/** What comes back. */
export type Reply =
    | { id: string; type: "ready" }
    | { id: string; type: "exec_result"; stdout: string; value: unknown; error: string | null }
    | { id: string; type: "rpc_request"; namespace: string; op: string; args_json: string }
    | { id: string; type: "error"; message: string };

/** Evaluates in one scope that lasts, and offers the host's tools in it. */
const SESSION = `
import contextlib, io, json, traceback
from pyodide.code import eval_code_async
from pyodide.ffi import run_sync
from runner import rpc

def asked(name, args):
    return rpc("tools", "call_tool", json.dumps({"name": name, "args": args}))

def opened(response):
    response = json.loads(response)
    if not response["ok"]:
        raise RuntimeError(f"RPCError: {response['error']['message']}")
    return response["result"]

class Tools:
    """The tools of the host."""

    def call_tool(self, name, args):
        return opened(run_sync(asked(name, args)))

    async def call_tool_async(self, name, args):
        return opened(await asked(name, args))

scope = {"__name__": "__main__", "tools": Tools()}

async def execute(code):
    output, value, error = io.StringIO(), "null", None
    with contextlib.redirect_stdout(output):
        try:
            result = await eval_code_async(code, scope)
            try:
                value = json.dumps(result, allow_nan=False)
            except (TypeError, ValueError):
                value = json.dumps({"__py_repr__": repr(result)})
        except BaseException:
            error = traceback.format_exc()
    return output.getvalue(), value, error

execute
`;

const worker = self as unknown as {
    postMessage(reply: Reply): void;
    onmessage: (event: MessageEvent<Request>) => void;
};
/** Whoever waits for the host, by the id of the call. */
const calls = new Map<string, (response: string) => void>();
let lastCall = 0;

/** Asks the host. Its response is given to Python as it is. */
function rpc(namespace: string, op: string, args_json: string): Promise<string> {
    const id = `rpc-${++lastCall}`;
    worker.postMessage({ id, type: "rpc_request", namespace, op, args_json });
    return new Promise((resolve) => calls.set(id, resolve));
}

async function start() {
    const python = await loadPyodide();
    python.registerJsModule("runner", { rpc });
    return python.runPython(SESSION, { globals: python.toPy({}) });
}

/** Runs code; by the way in that lets Python wait for a promise in the middle of a function. */
async function execute(id: string, code: string): Promise<Reply> {
    const ended = await (await session).callPromising(code);
    const [stdout, value, error] = ended.toJs();
    ended.destroy();
    return { id, type: "exec_result", stdout, value: JSON.parse(value), error: error ?? null };
}

/** What executes code, as soon as Pyodide is there. */
const session = start();

worker.onmessage = async ({ data: request }) => {
    try {
        if (request.type === "rpc_response") {
            calls.get(request.id)?.(JSON.stringify(request));
            calls.delete(request.id);
        } else if (request.type === "exec") {
            worker.postMessage(await execute(request.id, request.code));
        } else await session.then(() => worker.postMessage({ id: request.id, type: "ready" }));
    } catch (error) {
        worker.postMessage({ id: request.id, type: "error", message: String(error) });
    }
};
