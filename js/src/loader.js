// Loads Pyodide, in place of its own `pyodide.mjs`: one way in, no packages, no network, nothing to
// find out about the surroundings.

/** Where Python finds its standard library, one file with bytecode. */
const STDLIB = "/lib/python314.zip";
/** Folders that Python looks for when it starts. */
const FOLDERS = ["/lib/python3.14/lib-dynload", "/lib/python3.14/site-packages"];
const EIO = 29;
const HOME = "/work";
/** What Python may use of its stack, in bytes. */
const STACK = 512 << 10;

/**
 * A module of two functions, which gives a value that no JavaScript can make, and tells whether a
 * value is that one: `(struct)`; `c: () -> externref`, `i: (externref) -> i32`.
 */
const SENTINEL = [
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    // types: (struct), (func (result externref)), (func (param externref) (result i32))
    ...[1, 12, 3, 0x5f, 0, 0x60, 0, 1, 0x6f, 0x60, 1, 0x6f, 1, 0x7f],
    ...[3, 3, 2, 1, 2], // two functions, of the types 1 and 2
    ...[7, 9, 2, 1, 0x63, 0, 0, 1, 0x69, 0, 1], // exported as "c" and "i"
    ...[10, 19, 2],
    ...[7, 0, 0xfb, 0, 0, 0xfb, 0x1b, 0x0b], // struct.new 0, extern.convert_any
    ...[9, 0, 0x20, 0, 0xfb, 0x1a, 0xfb, 0x14, 0, 0x0b], // any.convert_extern, ref.test (ref 0)
];

/**
 * @param {object} ops the functions of the host
 * @param {(shims: object) => Function} pyodide the wrapped `pyodide.asm.mjs`
 */
function makeLoader(ops, pyodide) {
    "use strict";
    const Bytes = Uint8Array;
    const shims = makeShims(ops);
    const files = makeFiles(ops);
    const create = pyodide(shims);
    /** The module of Emscripten, what its WebAssembly exports, and Pyodide's own functions. */
    let python, exports, api;
    /** What the table has for iterators, once that is so. */
    let iterators;

    /**
     * Makes the module. With `bytes` of memory it is one whose Python is not started, because it comes
     * with the memory, which the host puts in place before `resume`.
     */
    async function start(wasm, stdlib, bytes) {
        const pyodideSettings = {
            config: {
                jsglobals: Object.create(null),
                env: { HOME, PYTHONINSPECT: "1" },
                args: [],
                packages: [],
                BUILD_ID: "0".repeat(64),
                enableRunUntilComplete: false,
                _makeSnapshot: bytes === 0,
            },
            runtimeEnv: { IN_SHELL: true },
        };
        const sentinel = new Instance(new Module(Bytes.from(SENTINEL))).exports;
        const settings = {
            API: pyodideSettings,
            noInitialRun: bytes > 0,
            arguments: [],
            thisProgram: "python",
            print: shims.console.log,
            printErr: shims.console.log,
            locateFile: (path) => path,
            preRun: [(module) => prepare(module, stdlib)],
            instantiateWasm(imports, done) {
                const { env } = imports;
                files.wrap(env);
                env.Jsv_GetError_import = sentinel.c;
                env.JsvError_Check = sentinel.i;
                env.emscripten_resize_heap = (size) => {
                    const granted = ops.op_pcm_grow(size >>> 0, settings.HEAPU8.length);
                    return granted > 0 && settings.growMemory(granted) === 1;
                };
                const instance = new Instance(wasm, imports);
                ({ exports } = instance);
                const { memory } = exports;
                Object.defineProperty(memory, "grow", { value: grow.bind(memory) });
                done(instance, wasm);
                return {};
            },
        };
        python = await create(settings);
        if (bytes > python.HEAPU8.length) python.growMemory(bytes);
    }

    function prepare(module, stdlib) {
        const { API: its } = module;
        const version = module.HEAPU32[module._Py_Version >>> 2];
        its.pyVersionTuple = [version >>> 24, (version >>> 16) & 255, (version >>> 8) & 255];
        its.sitePackages = "/lib/python3.14/site-packages";
        const { FS, ENV } = module;
        for (const folder of FOLDERS) FS.mkdirTree(folder);
        FS.writeFile(STDLIB, stdlib, { canOwn: true });
        files.install(module);
        FS.chdir(HOME);
        // Emscripten would make these up.
        for (const name of ["USER", "LOGNAME", "PATH", "PWD", "LANG", "_"]) ENV[name] = undefined;
        Object.assign(ENV, its.config.env);
    }

    /** What is written past Python's own streams, as by `os.write(1, ...)`. */
    function connectOutput(FS) {
        for (const channel of [1, 2]) {
            const write = (_stream, memory, at, length) => {
                const bytes = new Bytes(memory.buffer, memory.byteOffset, memory.byteLength);
                if (ops.op_pcm_emit(bytes, channel, at, length) !== 0) throw new FS.ErrnoError(EIO);
                return length;
            };
            FS.getStream(channel).stream_ops = { ...FS.getStream(channel).stream_ops, write };
        }
    }

    /**
     * Python looks here for the signal when the host has told it to: there is one, once.
     */
    function armInterrupts() {
        python.Py_EmscriptenSignalBuffer = {
            get 0() {
                python.HEAP32[python._Py_EMSCRIPTEN_SIGNAL_HANDLING >>> 2] = 0;
                return 2;
            },
            set 0(_value) {},
        };
    }

    /** The functions that Python's side of the port is made of; memory may move whenever it grows. */
    const port = {
        begin: () => ops.op_pcm_begin(),
        call: (at, length) => ops.op_pcm_call(python.HEAPU8, at, length),
        submit: (at, length) => ops.op_pcm_submit(python.HEAPU8, at, length),
        poll: (timeout) => ops.op_pcm_poll(timeout),
        take: (at) => ops.op_pcm_take(python.HEAPU8, at),
        emit: (channel, at, length) => ops.op_pcm_emit(python.HEAPU8, channel, at, length),
        sleep: (seconds) => ops.op_pcm_sleep(seconds),
        end: (at, length) => ops.op_pcm_end(python.HEAPU8, at, length),
    };

    let runOnce, forget;

    /** Finishes what `start` began. */
    function finish(state) {
        api = python.API.finalizeBootstrap(state, () => null);
        files.seal();
        connectOutput(python.FS);
        // What ends Python ends the isolate: nobody has to be told where it was, which takes seconds.
        python.API.fatal_error = (error) => {
            throw error;
        };
        armInterrupts();
        boundRecursion();
    }

    /**
     * Python counts how much of its own stack is used, in its memory, and raises RecursionError when
     * that is nearly all. Of the stack of V8 its C functions use several times as much, and when that
     * ends, Python ends too: so Python may use only a part of its own.
     */
    function boundRecursion() {
        const bottom = python._emscripten_stack_get_base() - STACK;
        const thread = python._PyThreadState_Get();
        python._PyUnstable_ThreadState_SetStackProtection(thread, bottom, STACK);
    }

    /** Connects Python's side of the port. */
    function resume(json) {
        const state = JSON.parse(json);
        fillTable(exports, signalWord(), state.iterators);
        finish(state.python);
        const session = api.pyimport("pcm_pyodide.session");
        session.resume(port);
        runOnce = session.run.copy();
        forget = session.forget.copy();
        session.destroy();
    }

    /** Not zero, when Python has to look for a signal. */
    function signalWord() {
        return python._Py_EMSCRIPTEN_SIGNAL_HANDLING;
    }

    /** Makes ready the session that the snapshot will hold. */
    function prepareSession() {
        const addresses = api.runPython(ENDLESS);
        iterators = checkIterators(python, exports, signalWord(), addresses.toJs());
        addresses.destroy();
        api.pyimport("pcm_pyodide.session").destroy();
    }

    /** What belongs to the memory as it is now, for `resume`. */
    function snapshot() {
        return JSON.stringify({ python: python.API.serializeHiwireState(), iterators });
    }

    return {
        start,
        finish: () => finish(undefined),
        prepare: prepareSession,
        snapshot,
        resume,
        memory: () => python.HEAPU8,
        handling: signalWord,
        clock: () => python.__Py_emscripten_signal_clock,
        put: (path, bytes) => python.FS.writeFile(path, bytes, { canOwn: true }),
        get: (path) => python.FS.readFile(path),
        execute: (source) => void api.runPython(source),
        runner: () => runOnce,
        forget: () => forget(),
    };
}
