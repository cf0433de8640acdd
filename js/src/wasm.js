// WebAssembly as the guest's libraries get it: modules that bring no memory of their own, and not
// without end. The memory of Python is bounded in its own module; what libraries share is that memory.

const { Instance, Module, Table, Global, Tag, Exception, Suspending, promising } = WebAssembly;
const { RuntimeError, CompileError, LinkError } = WebAssembly;
const WasmFunction = WebAssembly.Function;
const { grow } = WebAssembly.Memory.prototype;

/** Modules that an isolate compiles: libraries, and one for each callback of ctypes. */
const MOST_MODULES = 10_000;
const MEMORY_SECTION = 5;

/** Whether a module has a memory of its own; true for what is none. */
function hasMemory(bytes) {
    let at = 8; // behind the magic number and the version
    while (at < bytes.length) {
        const section = bytes[at];
        at += 1;
        let length = 0;
        for (let shift = 0; ; shift += 7) {
            const byte = bytes[at];
            if (byte === undefined || shift > 28) return true;
            at += 1;
            length += (byte & 127) * 2 ** shift;
            if (byte < 128) break;
        }
        if (section === MEMORY_SECTION) return true;
        at += length;
    }
    return false;
}

/** What Pyodide gets in place of `WebAssembly`. */
function makeWasm() {
    "use strict";
    const Bytes = Uint8Array;
    const { isView } = ArrayBuffer;
    const { construct } = Reflect;
    let modules = 0;

    const compileSync = (source) => {
        // A copy: what was looked at is what is compiled.
        const bytes = isView(source)
            ? new Bytes(new Bytes(source.buffer, source.byteOffset, source.byteLength))
            : new Bytes(new Bytes(source));
        modules += 1;
        if (modules > MOST_MODULES) throw new CompileError("too many modules");
        if (hasMemory(bytes)) throw new CompileError("a module must not bring a memory");
        return construct(Module, [bytes]);
    };
    const Checked = new Proxy(Module, { construct: (_target, [source]) => compileSync(source) });
    const instantiate = async (source, imports) => {
        if (source instanceof Module) return new Instance(source, imports);
        const module = compileSync(source);
        return { module, instance: new Instance(module, imports) };
    };

    // Nobody gets from a thing to what makes more of its kind.
    const hidden = [Instance, Module, WebAssembly.Memory, Table, Global, Tag, Exception];
    for (const { name, prototype } of [...hidden, ArrayBuffer, SharedArrayBuffer]) {
        prototype.constructor = Object.freeze({ name }); // Pyodide asks buffers for their type
    }
    // These would make buffers that no allocator of ours hears of.
    for (const name of ["resize", "transfer", "transferToFixedLength"]) {
        delete ArrayBuffer.prototype[name];
    }
    delete SharedArrayBuffer.prototype.grow;
    delete WebAssembly.Memory.prototype.grow;

    return Object.freeze({
        // Pyodide makes one as it loads, to wait with where there is nothing else.
        Memory: class Memory {
            buffer = new ArrayBuffer(4);
        },
        Module: Checked,
        Instance,
        Table,
        Global,
        Tag,
        Exception,
        Function: WasmFunction,
        Suspending,
        promising,
        RuntimeError,
        CompileError,
        LinkError,
        instantiate,
    });
}
