// Streams of the host's files, as Emscripten expects them of a file system.

/**
 * @param {ReturnType<typeof makeTree>} tree
 * @param {(errno: number) => never} fail throws what stands for an error
 * @param {() => object} created gives Emscripten's module
 */
function makeStreams(tree, fail, created) {
    "use strict";
    const { defineProperty, freeze } = Object;
    const { isSafeInteger } = Number;
    const Bytes = Uint8Array;
    const call = Function.prototype.call;
    const lastIndexOf = call.bind(String.prototype.lastIndexOf);
    const slice = call.bind(String.prototype.slice);

    const EINVAL = 28;
    const ENOMEM = 48;
    const APPEND = 0o2000;
    /** What is asked of opening and not of what was opened: exclusive, cut off, not through a link. */
    const OPENING = 0o200 | 0o1000 | 0o400000;

    const isFolder = (node) => (node.mode & KINDS) === DIRECTORY;

    /** The functions of a node of the host's, for who has one in hand. */
    const nodeFunctions = freeze({
        getattr({ path, follow }) {
            tree.stat(path, follow);
            return tree.attributes();
        },
        setattr({ path }, { size }) {
            if (size !== undefined) tree.resize(path, size);
        },
        lookup: (folder, name) => created().FS.lookupNode(folder, name),
        readdir: ({ path }) => created().FS.readdir(path),
        readlink: ({ path }) => tree.readLink(path),
        statfs: () => tree.room(),
    });

    /**
     * A node as the host told of it just now. Emscripten does not keep it: it is in no table, and the root
     * of a file system of its own.
     */
    function makeNode(path, follow = true) {
        const node = {
            path,
            follow,
            name: slice(path, lastIndexOf(path, "/") + 1),
            id: tree.number(),
            mode: tree.mode(),
            rdev: 0,
            mounted: null,
            mount: { mountpoint: path, mounts: [], opts: {} },
            node_ops: nodeFunctions,
            stream_ops: streamFunctions,
            /** The entries of the last listing, where it is open as a folder. */
            entries: undefined,
        };
        node.parent = node;
        return node;
    }

    const isHost = (node) => node?.node_ops === nodeFunctions;

    /** Where bytes are to be read or written: linear memory, most of the time. */
    function memoryOf(view) {
        const heap = created().HEAPU8;
        if (view.buffer === heap.buffer && view.byteOffset === 0) return heap;
        return new Bytes(view.buffer, view.byteOffset, view.byteLength);
    }

    /**
     * The functions of a stream. Copies of one share `handle`: the host's descriptor, and how many copies
     * there are.
     */
    const streamFunctions = freeze({
        getattr({ handle }) {
            tree.statOpen(handle.fd);
            return tree.attributes();
        },
        setattr({ handle }, { size }) {
            // Owner and mode are the same for everything, and are set in vain.
            if (size !== undefined) tree.setSize(handle.fd, size);
        },
        dup(stream) {
            stream.handle.streams += 1;
            if (isFolder(stream.node)) showEntries(stream);
        },
        close({ handle }) {
            handle.streams -= 1;
            if (handle.streams === 0) tree.close(handle.fd);
        },
        llseek(stream, offset, whence) {
            let position = offset;
            if (whence === 1) position += stream.position;
            if (whence === 2 && !isFolder(stream.node)) {
                tree.statOpen(stream.handle.fd);
                position += tree.size();
            }
            if (position < 0 || !isSafeInteger(position)) fail(EINVAL);
            return position;
        },
        read: ({ handle }, view, offset, length, position) =>
            tree.read(handle.fd, memoryOf(view), offset >>> 0, length, position),
        write({ handle, flags, position: current }, view, offset, length, position) {
            // `FS.write` has moved to the end; who names a position of their own gets it.
            const append = (flags & APPEND) !== 0 && position === current;
            return tree.write(handle.fd, memoryOf(view), offset >>> 0, length, position, append);
        },
        mmap({ handle }, length, position) {
            const ptr = created().mmapAlloc(length) >>> 0;
            if (ptr === 0) fail(ENOMEM);
            tree.read(handle.fd, created().HEAPU8, ptr, length, position);
            return { ptr, allocated: true };
        },
        msync({ handle }, view, offset, length) {
            tree.write(handle.fd, memoryOf(view), 0, length, offset, false);
            return 0;
        },
    });

    /**
     * Gives a stream the listing that Emscripten looks for in it: made when it is looked for, and anew
     * after Emscripten has thrown it away.
     */
    function showEntries(stream) {
        let names;
        defineProperty(stream, "getdents", {
            enumerable: false, // a copy gets its own
            configurable: true,
            get() {
                if (names === undefined) {
                    const entries = tree.entries(stream.handle.fd);
                    names = entries.names;
                    stream.node.entries = entries.known;
                }
                return names;
            },
            set(_nothing) {
                names = undefined;
            },
        });
    }

    /** Opens what the host has at a path. */
    function openHost(path, flags) {
        const fd = tree.open(path, flags >>> 0);
        const node = makeNode(path);
        try {
            const stream = created().FS.createStream({
                node,
                path,
                flags: flags & ~OPENING,
                seekable: true,
                position: 0,
                stream_ops: streamFunctions,
                ungotten: [],
                error: false,
                handle: { fd, streams: 1 },
            });
            if (isFolder(node)) showEntries(stream);
            return stream;
        } catch (error) {
            tree.close(fd);
            throw error;
        }
    }

    return freeze({ openHost, makeNode, isHost });
}
