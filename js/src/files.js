// The session's files, in the place of Emscripten's own.
//
// Emscripten keeps a tree of nodes in JavaScript with a table of all names in it, and asks a file system
// for one name after the other. Here the tree is the host's (tree.js): it changes without the guest, and
// it takes whole paths. So the functions of `FS` that take a path are replaced. What lies in one of the
// interpreter's own places stays Emscripten's, in memory; everything else goes to the host, and nothing
// that the host said is remembered. Descriptors, positions, pipes and devices stay Emscripten's too; the
// streams of the host's files are in streams.js.

/**
 * The interpreter's own places: devices, and the standard library. What else Emscripten makes up, as
 * `/proc` and `/home`, has no name any more.
 */
const OWN_PLACES = ["/dev", "/lib/python3.14", "/lib/python314.zip"];

/**
 * @param {object} ops the functions of the host
 */
function makeFiles(ops) {
    "use strict";
    const { op_pcm_decode: decode } = ops;
    const { assign, freeze } = Object;
    const { floor } = Math;
    const call = Function.prototype.call;
    const find = call.bind(Uint8Array.prototype.indexOf);
    const get = call.bind(Map.prototype.get);
    const includes = call.bind(String.prototype.includes);
    const join = call.bind(Array.prototype.join);
    const lastIndexOf = call.bind(String.prototype.lastIndexOf);
    const slice = call.bind(String.prototype.slice);
    const split = call.bind(String.prototype.split);
    const startsWith = call.bind(String.prototype.startsWith);
    const subarray = call.bind(Uint8Array.prototype.subarray);
    const own = freeze([...OWN_PLACES]);

    // Numbers of errors, those of WASI.
    const EILSEQ = 25;
    const EINVAL = 28;
    const ENAMETOOLONG = 37;
    const ENOENT = 44;
    const ENOTDIR = 54;
    const EPERM = 63;
    const EROFS = 69;
    const EXDEV = 75;

    // How files are opened.
    const WRITE_ONLY = 1;
    const ACCESS = 3;
    const CREATE = 0o100;
    const EXCLUSIVE = 0o200;
    const TRUNCATE = 0o1000;
    /** The flag of `utimensat`. */
    const SYMLINK_NOFOLLOW = 0x100;
    const LONGEST_PATH = 4096;

    let module;
    let FS;
    /** Emscripten's own functions. */
    let theirs;
    /** Whether the interpreter's own places are what they are from now on. */
    let sealed = false;
    /** The times that Python wants to set, which Emscripten would round. */
    let wanted;

    const fail = (errno) => {
        throw new FS.ErrnoError(errno);
    };
    const tree = makeTree(ops, fail);
    const { openHost, makeNode, isHost } = makeStreams(tree, fail, () => module);

    /** A path from the root. */
    function absolute(path) {
        if (typeof path !== "string") fail(EINVAL);
        if (path === "") fail(ENOENT);
        return path[0] === "/" ? path : `${FS.currentPath}/${path}`;
    }

    /** A path from the root as its text has it: without `.`, `..` and superfluous slashes. */
    function plain(path) {
        const names = [];
        for (const name of split(path, "/")) {
            if (name === "..") names.length -= names.length > 0 ? 1 : 0;
            else if (name !== "" && name !== ".") names[names.length] = name;
        }
        return `/${join(names, "/")}`;
    }

    /** The path, if it leads to one of the interpreter's own places. */
    function inOwn(path) {
        const short = includes(path, "/.") || includes(path, "//") ? plain(path) : path;
        for (let index = 0; index < own.length; index++) {
            const [place, end] = [own[index], own[index].length];
            if (startsWith(short, place) && (short.length === end || short[end] === "/"))
                return short;
        }
        return undefined;
    }

    /** The path of the folder that something lies in. */
    function above(path) {
        const short = plain(path);
        return slice(short, 0, lastIndexOf(short, "/")) || "/";
    }

    /**
     * Does what `theirs` does in the interpreter's own places, while they can be changed, and what `ours`
     * does everywhere else.
     */
    function change(path, theirs, ours) {
        const full = absolute(path);
        const special = inOwn(full);
        if (special === undefined) return ours(full);
        if (sealed) fail(EROFS);
        return theirs(special);
    }

    /** Opens what is the interpreter's own: to read it, or a device. */
    function openOwn(path, flags, mode) {
        if (sealed) {
            const { node } = theirs.lookupPath(path, { follow: true });
            const writes = (flags & (ACCESS | TRUNCATE)) !== 0;
            if (writes && !FS.isChrdev(node.mode) && !FS.isDir(node.mode)) fail(EROFS);
        }
        return theirs.open(path, flags, mode);
    }

    /** Seconds and nanoseconds of a time in milliseconds. */
    function secondsOf(milliseconds) {
        if (milliseconds == null) return [0, TIME_KEPT];
        const seconds = floor(milliseconds / 1e3);
        return [seconds, floor((milliseconds - seconds * 1e3) * 1e6)];
    }

    function setTimes(path, follow, atime, mtime) {
        if (wanted === undefined) {
            tree.setTimes(path, follow, [...secondsOf(atime), ...secondsOf(mtime)]);
        } else if (wanted.handle === undefined) {
            tree.setTimes(path, wanted.follow, wanted.times);
        } else {
            tree.setTimesOpen(wanted.handle.fd, wanted.times);
        }
    }

    /** Owner and mode are nothing that could be another, but the file has to be there. */
    function setInVain(path, dontFollow, ofTheirs) {
        if (typeof path === "object") {
            if (!isHost(path)) ofTheirs(path);
            return;
        }
        change(path, ofTheirs, (full) => void tree.stat(full, !dontFollow));
    }

    /** What stands in the place of Emscripten's functions of the same names. */
    const replacements = freeze({
        lookupPath(path, options = {}) {
            const full = absolute(path);
            const special = inOwn(full);
            if (special !== undefined) return theirs.lookupPath(special, options);
            const found = options.parent ? above(full) : full;
            const follow = Boolean(options.parent || options.follow);
            const answer = tree.look(found, follow);
            if (answer === -ENOENT && options.noent_okay) return { path: full };
            if (answer < 0) fail(-answer);
            return { path: found, node: makeNode(found, follow) };
        },

        lookupNode(parent, name) {
            if (!isHost(parent)) return theirs.lookupNode(parent, name);
            const entry = parent.entries && get(parent.entries, name);
            return entry ?? FS.lookupPath(`${parent.path}/${name}`).node;
        },

        stat(path, dontFollow) {
            const full = absolute(path);
            const special = inOwn(full);
            if (special !== undefined) return theirs.stat(special, dontFollow);
            tree.stat(full, !dontFollow);
            return tree.attributes();
        },

        open(path, flags, mode) {
            if (isHost(path)) return FS.open(path.path, flags, mode);
            if (typeof path === "object") return theirs.open(path, flags, mode);
            const how = module.FS_modeStringToFlags(flags);
            const full = absolute(path);
            const special = inOwn(full);
            return special === undefined ? openHost(full, how) : openOwn(special, how, mode);
        },

        mknod(path, mode, dev) {
            const ours = (full) => {
                const kind = mode & KINDS;
                if (kind !== DIRECTORY && kind !== REGULAR) fail(EPERM);
                if (kind === DIRECTORY) tree.makeFolder(full);
                else tree.withOpen(full, WRITE_ONLY | CREATE | EXCLUSIVE, () => {});
                return FS.lookupPath(full).node;
            };
            return change(path, (special) => theirs.mknod(special, mode, dev), ours);
        },

        // Nobody can make a link here: where one leads is never the guest's to say.
        symlink: (target, path) =>
            change(
                path,
                (special) => theirs.symlink(target, special),
                () => fail(EPERM),
            ),

        rename(from, to) {
            const [one, two] = [absolute(from), absolute(to)];
            const [special, other] = [inOwn(one), inOwn(two)];
            if (special === undefined && other === undefined) {
                tree.rename(one, two);
                return;
            }
            if (sealed) fail(EROFS);
            if (special === undefined || other === undefined) fail(EXDEV);
            theirs.rename(special, other);
        },

        rmdir: (path) => void change(path, theirs.rmdir, tree.removeFolder),
        unlink: (path) => void change(path, theirs.unlink, tree.remove),

        readdir(path) {
            const full = absolute(path);
            const special = inOwn(full);
            if (special !== undefined) return theirs.readdir(special);
            return tree.withOpen(full, 0, (fd) => {
                if (!tree.isFolder()) fail(ENOTDIR);
                return tree.entries(fd).names;
            });
        },

        readlink(path) {
            const full = absolute(path);
            const special = inOwn(full);
            return special === undefined ? tree.readLink(full) : theirs.readlink(special);
        },

        chmod: (path, mode, dontFollow) =>
            setInVain(path, dontFollow, (special) => theirs.chmod(special, mode, dontFollow)),
        chown: (path, uid, gid, dontFollow) =>
            setInVain(path, dontFollow, (special) => theirs.chown(special, uid, gid, dontFollow)),
        fchmod(fd, mode) {
            if (isHost(FS.getStreamChecked(fd).node)) return;
            if (sealed) fail(EROFS);
            theirs.fchmod(fd, mode);
        },

        truncate(path, size) {
            if (typeof path === "object" && !isHost(path)) return theirs.truncate(path, size);
            const name = isHost(path) ? path.path : path;
            return change(
                name,
                (special) => theirs.truncate(special, size),
                (full) => tree.resize(full, size),
            );
        },

        utime: (path, atime, mtime) =>
            change(
                path,
                (special) => theirs.utime(special, atime, mtime),
                (full) => setTimes(full, true, atime, mtime),
            ),

        chdir(path) {
            const full = absolute(path);
            const special = inOwn(full);
            if (special !== undefined) return theirs.chdir(special);
            tree.stat(full, true);
            if (!tree.isFolder()) fail(ENOTDIR);
            const [device, number] = [tree.device(), tree.number()];
            // After a symbolic link, `..` may be another folder than its text says.
            const short = plain(full);
            const isSame =
                tree.look(short, true) === 0 &&
                tree.device() === device &&
                tree.number() === number;
            FS.currentPath = isSame ? short : full;
            return undefined;
        },

        mount(type, options, mountpoint) {
            if (sealed && mountpoint) fail(EPERM);
            return theirs.mount(type, options, mountpoint);
        },
    });

    /** A path as libc has it in memory. It has to be text. */
    function readPath(at) {
        const start = at >>> 0;
        if (start === 0) return "";
        const heap = module.HEAPU8;
        const end = find(heap, 0, start);
        if (end < 0 || end - start > LONGEST_PATH) fail(ENAMETOOLONG);
        const path = decode(subarray(heap, start, end));
        return includes(path, "\ufffd") ? fail(EILSEQ) : path;
    }

    /** Two `struct timespec`. */
    function readTimes(at) {
        if (at === 0) return [0, TIME_NOW, 0, TIME_NOW];
        const { HEAP64, HEAP32 } = module;
        const one = [Number(HEAP64[at >>> 3]), HEAP32[(at + 8) >>> 2]];
        return [...one, Number(HEAP64[(at + 16) >>> 3]), HEAP32[(at + 24) >>> 2]];
    }

    /** Puts a function around an import. */
    function wrapImport(env, name, wrapped) {
        const theirs = env[name];
        env[name] = wrapped(theirs);
        env[name].sig = theirs.sig;
    }

    return freeze({
        /**
         * Makes times exact. To be called before the module is instantiated.
         * @param {Record<string, Function>} env the imports of that name
         */
        wrap(env) {
            for (const [name, position] of [
                ["__syscall_stat64", 1],
                ["__syscall_lstat64", 1],
                ["__syscall_fstat64", 1],
                ["__syscall_newfstatat", 2],
            ]) {
                wrapImport(env, name, (call) => (...parameters) => {
                    tree.forget();
                    const result = call(...parameters);
                    if (result === 0) tree.writeTimes(parameters[position] >>> 0, module);
                    return result;
                });
            }
            wrapImport(env, "__syscall_utimensat", (call) => (fd, path, times, flags) => {
                const handle = path >>> 0 === 0 ? FS.getStream(fd)?.handle : undefined;
                const follow = (flags & SYMLINK_NOFOLLOW) === 0;
                wanted = { handle, follow, times: readTimes(times >>> 0) };
                try {
                    return call(fd, path, times, flags);
                } finally {
                    wanted = undefined;
                }
            });
        },

        /**
         * Makes the session's files the root of the file system, before Python starts or resumes.
         * @param {object} created Emscripten's module
         */
        install(created) {
            module = created;
            FS = created.FS;
            theirs = freeze({ ...FS });
            module.readPath = readPath;
            assign(FS, replacements);
        },

        /** From now on the interpreter's own places are what they are. */
        seal() {
            sealed = true;
        },
    });
}
