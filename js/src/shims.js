// What Pyodide expects of a browser, as far as it uses it. None of it becomes a global of the isolate:
// `pyodide.asm.mjs` is wrapped in a function that takes these as parameters (see the build script of
// runtime/deno), so that the guest's JavaScript world has nothing of the host's.

/**
 * @param {object} ops the functions of the host, see runtime/deno/src/ops.rs
 */
function makeShims(ops) {
    "use strict";

    const log = (...parts) => ops.op_pcm_log(parts.map(String).join(" "));
    const console = { log, info: log, debug: log, warn: log, error: log, assert() {} };

    /** UTF-8 is decoded by the host; UTF-16 is only asked for by C++ strings of wide characters. */
    class TextDecoder {
        #utf16;
        constructor(label = "utf-8") {
            this.#utf16 = label.toLowerCase() === "utf-16le";
        }
        decode(input) {
            if (input === undefined) return "";
            const bytes = ArrayBuffer.isView(input)
                ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
                : new Uint8Array(input);
            return this.#utf16 ? decodeUtf16(bytes) : ops.op_pcm_decode(bytes);
        }
    }

    function decodeUtf16(bytes) {
        let text = "";
        for (let at = 0; at + 1 < bytes.length; at += 2) {
            text += String.fromCharCode(bytes[at] | (bytes[at + 1] << 8));
        }
        return text;
    }

    class TextEncoder {
        encode(text = "") {
            return ops.op_pcm_encode(String(text));
        }
        encodeInto(text, into) {
            const bytes = this.encode(text);
            into.set(bytes.subarray(0, into.length));
            return { read: text.length, written: Math.min(bytes.length, into.length) };
        }
    }

    const crypto = {
        getRandomValues(view) {
            ops.op_pcm_random(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
            return view;
        },
    };

    const shims = {
        console,
        crypto,
        performance: { now: () => ops.op_pcm_now() },
        TextDecoder,
        TextEncoder,
        // Without a `self` that is an instance of it, this leads neither to the shell of V8, which would
        // start programs for random numbers, nor to what a browser offers.
        WorkerGlobalScope: class WorkerGlobalScope {},
        // Time passes in the port of `pcm_guest` and nowhere else: no callback ever comes by itself.
        setTimeout: () => 0,
        clearTimeout() {},
        fetch: undefined,
        WebAssembly: makeWasm(),
    };
    return Object.freeze(shims);
}
