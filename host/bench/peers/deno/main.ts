// A peer for the benchmark `deno`, and no part of the product: the usual way to run Python under
// Deno, as an external process. This half reads requests from standard input, a line of JSON each,
// writes replies to standard output, and keeps one worker, in which Python is. The host looks after
// timeouts: it ends this process, or asks for a reset. It is run so, after `npm ci`:
//
//     deno run --quiet --no-check --no-prompt --cached-only --deny-net --deny-env --deny-run \
//       --allow-read=FOLDER FOLDER/main.ts

import type { Reply, Request } from "./worker.ts";

let worker: Worker | undefined;
/** Whoever waits for the reply to a request, by its id. */
const waiting = new Map<string, () => void>();
/** Ends when the runs before have ended: there is one at a time. */
let queue = Promise.resolve();

/** Writes a line, all of it. */
function send(reply: Reply) {
    let bytes = new TextEncoder().encode(JSON.stringify(reply) + "\n");
    while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
}

/** Lets the worker answer. */
function ask(request: Request): Promise<void> {
    return new Promise((resolve) => {
        waiting.set(request.id, resolve);
        worker ??= begin();
        worker.postMessage(request);
    });
}

/** A worker in which nothing has run. */
function begin(): Worker {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data: reply }: MessageEvent<Reply>) => {
        send(reply);
        if (reply.type === "rpc_request") return;
        waiting.get(reply.id)?.();
        waiting.delete(reply.id);
    };
    worker.onerror = (event) => {
        event.preventDefault();
        end(event.message);
    };
    return worker;
}

/** Ends the worker, whatever it is at. The next request gets another. */
function end(message: string) {
    worker?.terminate();
    worker = undefined;
    for (const [id, done] of waiting) {
        send({ id, type: "error", message });
        done();
    }
    waiting.clear();
}

/** Takes one request. It waits for nothing, so that answers arrive while code runs. */
function take(request: Request) {
    if (request.type === "rpc_response") return worker?.postMessage(request);
    if (request.type === "close") {
        end("the runner was closed");
        send({ id: request.id, type: "ready" });
        Deno.exit(0);
    }
    if (request.type === "reset") end("the sandbox was reset");
    queue = queue.then(() => ask(request));
}

/** The lines of standard input. */
async function* lines(): AsyncGenerator<string> {
    let parts: string[] = [];
    for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
        const [first, ...others] = text.split("\n");
        parts.push(first);
        for (const next of others) {
            yield parts.join("");
            parts = [next];
        }
    }
}

for await (const line of lines()) {
    try {
        take(JSON.parse(line));
    } catch (error) {
        send({ id: "", type: "error", message: String(error) });
    }
}
await queue;
end("the host is gone");
