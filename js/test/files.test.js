// Files over a host that is made up, and an `FS` that has no more than is asked of it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { beforeEach, test } from "node:test";

const source = ["tree.js", "streams.js", "files.js"]
    .map((name) => readFileSync(new URL(`../src/${name}`, import.meta.url), "utf8"))
    .join("");
const makeFiles = new Function(`${source}\nreturn makeFiles;`)();

const FILE = 0;
const FOLDER = 1;
const [EINVAL, ENAMETOOLONG, ENOENT, EILSEQ, EROFS] = [28, 37, 44, 25, 69];

/** A host with a few files by path. It counts what it is asked. */
function makeHost(content) {
    const calls = [];
    const open = new Map();
    const tell = (into, path) => {
        const found = content[path];
        if (found === undefined) return -ENOENT;
        const fields = new Float64Array(into.buffer);
        const wholes = new BigInt64Array(into.buffer);
        fields.set([Array.isArray(found) ? FOLDER : FILE, found.length, path.length, 0]);
        wholes.set([1_700_000_000n, 123_456_789n, 5n, 7n, 9n, 999_999_999n], 4);
        return 0;
    };
    const ops = {
        op_pcm_decode: (bytes) => new TextDecoder().decode(bytes),
        op_pcm_file_stat: (path, _follow, into) => tell(into, path),
        op_pcm_file_stat_open: (fd, into) => tell(into, open.get(fd)),
        op_pcm_file_open(path, _flags, into) {
            const told = tell(into, path);
            if (told < 0) return told;
            const fd = 4 + open.size;
            open.set(fd, path);
            return fd;
        },
        op_pcm_file_close: (fd) => (open.delete(fd) ? 0 : -8),
        // Three bytes at a time, until there are no more.
        op_pcm_file_read(fd, memory, at, length, position) {
            const part = content[open.get(fd)].slice(position, position + Math.min(length, 3));
            memory.set(new TextEncoder().encode(part), at);
            return part.length;
        },
        op_pcm_file_write(fd, memory, at, length, position) {
            if (position >= 6) return -51;
            return Math.min(length, 3);
        },
        // Two entries at a time.
        op_pcm_file_list(fd, cookie, into) {
            const names = content[open.get(fd)].slice(Number(cookie), Number(cookie) + 2);
            const text = new TextEncoder().encode(names.map((name) => `${name}/`).join(""));
            into.set(text, into.length / 2);
            let end = 0;
            names.forEach((name, index) => {
                end += new TextEncoder().encode(`${name}/`).length;
                new BigInt64Array(into.buffer)[index * 4] = cookie + BigInt(index + 1);
                new Float64Array(into.buffer).set([100 + index, FILE, end], index * 4 + 1);
            });
            return names.length;
        },
        op_pcm_file_remove: () => 0,
    };
    const counted = Object.entries(ops).map(([name, op]) => {
        const counting = (...parameters) => {
            calls.push(name.replace(/^op_pcm_(file_)?/, ""));
            return op(...parameters);
        };
        return [name, counting];
    });
    return { ops: Object.fromEntries(counted), calls, open };
}

/** As much of Emscripten as the files touch. */
function makeModule() {
    const asked = [];
    const streams = [];
    const theirs = (name) => (path) => {
        asked.push([name, path]);
        return { node: { mode: 0o100644 } };
    };
    const FS = {
        ErrnoError: class {
            constructor(errno) {
                this.errno = errno;
            }
        },
        currentPath: "/work",
        isDir: (mode) => (mode & 0o170000) === 0o040000,
        isChrdev: () => false,
        createStream(stream) {
            const made = { fd: streams.length, ...stream };
            streams.push(made);
            return made;
        },
        getStream: (fd) => streams[fd],
    };
    for (const name of ["lookupPath", "stat", "open", "unlink", "rename", "mknod"]) {
        FS[name] = theirs(name);
    }
    const memory = new ArrayBuffer(1024);
    const module = {
        FS,
        FS_modeStringToFlags: (flags) => flags,
        HEAPU8: new Uint8Array(memory),
        HEAP8: new Int8Array(memory),
        HEAP32: new Int32Array(memory),
        HEAPU32: new Uint32Array(memory),
        HEAP64: new BigInt64Array(memory),
    };
    return { module, FS, asked };
}

const refuses = (work, errno) => assert.throws(work, (error) => error.errno === errno);

let host, files, module, FS, asked, content;

beforeEach(() => {
    content = { "/work": ["a", "bü", "c"], "/work/a": "0123456789", "/": ["work"] };
    host = makeHost(content);
    ({ module, FS, asked } = makeModule());
    files = makeFiles(host.ops);
    files.install(module);
});

test("a path is looked up in one call, and nothing is remembered", () => {
    refuses(() => FS.stat("/work/new"), ENOENT);
    content["/work/new"] = "x";
    assert.equal(FS.stat("/work/new").size, 1);
    content["/work/new"] = "xyz";
    assert.equal(FS.stat("new").size, 3);
    assert.deepEqual(host.calls, ["stat", "stat", "stat"]);
    assert.equal(FS.lookupPath("/work/none", { noent_okay: true }).node, undefined);
    assert.equal(FS.lookupPath("/work/a", { parent: true }).node.id, "/work".length);
});

test("the interpreter's own places stay where they are, and are sealed", () => {
    for (const path of ["/dev/null", "/work/../dev/null", "//dev/./null"]) FS.stat(path);
    assert.deepEqual(asked.splice(0), Array(3).fill(["stat", "/dev/null"]));
    FS.unlink("/lib/python314.zip");
    files.seal();
    refuses(() => FS.unlink("/lib/python314.zip"), EROFS);
    refuses(() => FS.rename("/work/a", "/dev/null"), EROFS);
    refuses(() => FS.open("/lib/python314.zip", 0o1001), EROFS);
    FS.open("/lib/python314.zip", 0);
    FS.unlink("/lib/python314.zipper");
    FS.unlink("/developer");
    assert.deepEqual(asked.filter(([name]) => name === "unlink").length, 1);
});

test("reads and writes go on until there is no more", () => {
    const stream = FS.open("a", 2);
    const { read, write, llseek } = stream.stream_ops;
    const into = new Uint8Array(20);
    assert.equal(read(stream, module.HEAP8, 100, 8, 1), 8);
    assert.equal(new TextDecoder().decode(module.HEAPU8.subarray(100, 108)), "12345678");
    assert.equal(read(stream, into.subarray(5), 0, 15, 4), 6);
    assert.equal(new TextDecoder().decode(into.subarray(5, 11)), "456789");
    assert.equal(write(stream, into, 0, 20, 0), 6, "what went well counts");
    refuses(() => write(stream, into, 0, 20, 6), 51);
    assert.equal(llseek(stream, -1, 2), 9);
    refuses(() => llseek(stream, -1, 0), EINVAL);
    refuses(() => llseek(stream, Number.MAX_SAFE_INTEGER, 2), EINVAL);
});

test("the last of the copies of a stream closes it", () => {
    const stream = FS.open("/work/a", 0);
    stream.stream_ops.dup({ ...stream });
    stream.stream_ops.close(stream);
    assert.equal(host.open.size, 1);
    stream.stream_ops.close(stream);
    assert.equal(host.open.size, 0);
});

test("a listing comes in parts, is kept as long as Emscripten keeps it, and knows its entries", () => {
    const stream = FS.open("/work", 0o200000);
    assert.ok(!host.calls.includes("list"));
    assert.deepEqual(stream.getdents, ["a", "bü", "c"]);
    content["/work"].push("d");
    assert.equal(stream.getdents.length, 3);
    assert.equal(FS.lookupNode(stream.node, "bü").id, 101);
    stream.getdents = null;
    assert.equal(stream.getdents.length, 4);
});

test("a path in memory has to be text of a bounded length", () => {
    const at = (bytes) => {
        module.HEAPU8.set([...bytes, 0], 8);
        return module.readPath(8);
    };
    assert.equal(at(new TextEncoder().encode("/wörk")), "/wörk");
    assert.equal(at([]), "");
    assert.equal(module.readPath(0), "");
    refuses(() => at([0xc3, 0x2e]), EILSEQ);
    module.HEAPU8.fill(1);
    refuses(() => module.readPath(8), ENAMETOOLONG);
});

test("times are exact where Emscripten rounds them", () => {
    const env = { __syscall_fstat64: () => 0, __syscall_utimensat: () => 0 };
    const stat = (_path, _at) => {
        FS.stat("/work/a");
        return 0;
    };
    for (const name of ["__syscall_stat64", "__syscall_lstat64", "__syscall_newfstatat"]) {
        env[name] = stat;
    }
    stat.sig = "ipp";
    files.wrap(env);
    assert.equal(env.__syscall_stat64.sig, "ipp");
    env.__syscall_fstat64(0, 0);
    assert.ok(
        module.HEAPU8.every((byte) => byte === 0),
        "nothing was told",
    );
    env.__syscall_stat64(0, 64);
    assert.equal(module.HEAP64[(64 + 40) / 8], 1_700_000_000n);
    assert.equal(module.HEAPU32[(64 + 48) / 4], 123_456_789);
    assert.equal(module.HEAPU32[(64 + 80) / 4], 999_999_999);
});
