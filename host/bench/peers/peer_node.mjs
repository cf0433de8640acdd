// Pyodide on Node, in the process of its host: the shortest way to it, and no wall. Speaks the protocol
// of `driver.py`.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const CALLS = 100;
const BYTES = 1 << 20;
const folder = process.argv[2];
const entry = pathToFileURL(`${folder}/node_modules/pyodide/pyodide.mjs`).href;
const { loadPyodide } = await import(entry);
const manifest = JSON.parse(readFileSync(`${folder}/node_modules/pyodide/package.json`, "utf8"));

const START = `
import { loadPyodide } from ${JSON.stringify(entry)};
console.log((await loadPyodide()).runPython("1 + 1"));
process.exit(0);
`;
const blob = "x".repeat(BYTES);
const host = { echo: (args) => args, blob: () => blob };
const PRELUDE = `
import json, host
def echo(**arguments): return json.loads(host.echo(json.dumps(arguments)))
`;
const CODES = {
    "trivial-run": ["1 + 1", 2],
    "tool-call": [`for i in range(${CALLS}): last = echo(a=i, text='hi')['a']\nlast`, CALLS - 1],
    "data-in": ["len(host.blob())", BYTES],
};

let python, text, output, scenario;

async function open() {
    output = "";
    const opened = await loadPyodide({ stdout: (line) => (output += line + "\n") });
    opened.registerJsModule("host", host);
    opened.runPython(PRELUDE);
    return opened;
}

const seconds = (begin) => Number(process.hrtime.bigint() - begin) / 1e9;

function expect(value, expected) {
    if (value !== expected) throw new Error(`the value is ${value}, not ${expected}`);
}

async function measure() {
    const begin = process.hrtime.bigint();
    if (scenario === "fresh-session") {
        expect((await open()).runPython("1 + 1"), 2);
        return seconds(begin);
    }
    if (scenario === "data-out") {
        const value = python.runPython(`'x' * ${BYTES}`);
        const took = seconds(begin);
        expect(value.length, BYTES);
        return took;
    }
    if (scenario.startsWith("cpu-") || scenario === "imports") {
        output = "";
        await python.runPythonAsync(text[0]);
        return seconds(begin);
    }
    const [code, expected] = CODES[scenario];
    const value = python.runPython(code);
    const took = seconds(begin);
    expect(value, expected);
    return scenario === "tool-call" ? took / CALLS : took;
}

async function answer(request) {
    switch (request.do) {
        case "hello":
            return {
                hello: {
                    name: "Pyodide on Node",
                    version: manifest.version,
                    about: { node: process.version },
                    scenarios: [
                        "process-start",
                        "fresh-session",
                        "data-out",
                        "programs",
                        ...Object.keys(CODES),
                    ],
                    notes: { "tool-call": "a function of JavaScript, with JSON both ways" },
                    process: {
                        argv: [process.execPath, "--input-type=module", "--eval", START],
                        input: "",
                        expect: "2",
                    },
                },
            };
        case "begin":
            ({ scenario, text } = request);
            if (scenario !== "fresh-session") python ??= await open();
            return {};
        case "batch": {
            const samples = [];
            for (let number = 0; number < request.count; number++) samples.push(await measure());
            return { samples, output: scenario.startsWith("cpu-") ? output : null };
        }
        default:
            return {};
    }
}

for await (const line of createInterface({ input: process.stdin })) {
    let reply;
    try {
        reply = await answer(JSON.parse(line));
    } catch (error) {
        reply = { error: String(error).slice(0, 2000) };
    }
    process.stdout.write(JSON.stringify(reply) + "\n");
}
process.exit(0);
