// The tree of files that the host keeps, as functions of JavaScript: where ops leave their answers, what
// an answer means, and that one call does no more than a part.

/**
 * What is known of a file: the attributes that Emscripten asks a file system for.
 * @typedef {{ dev: number, ino: number, mode: number, nlink: number, uid: number, gid: number,
 *   rdev: number, size: number, atime: Date, mtime: Date, ctime: Date, blksize: number,
 *   blocks: number }} Attributes
 */

/** The bits of a mode that say what something is, and what they are of a file and of a folder. */
const KINDS = 0o170000;
const REGULAR = 0o100000;
const DIRECTORY = 0o040000;

/** What stands in the place of a time's nanoseconds: it becomes what it is now, or stays. */
const TIME_NOW = 0x3fffffff;
const TIME_KEPT = 0x3ffffffe;

/**
 * @param {object} ops the functions of the host, see runtime/deno/src/files/calls.rs
 * @param {(errno: number) => never} fail throws what stands for an error
 */
function makeTree(ops, fail) {
    "use strict";
    const { op_pcm_decode: decode } = ops;
    const {
        op_pcm_file_stat: stat,
        op_pcm_file_stat_open: statOpen,
        op_pcm_file_room: room,
        op_pcm_file_open: open,
        op_pcm_file_close: close,
        op_pcm_file_read: read,
        op_pcm_file_write: write,
        op_pcm_file_set_size: setSize,
        op_pcm_file_list: list,
        op_pcm_file_make_folder: makeFolder,
        op_pcm_file_remove: remove,
        op_pcm_file_remove_folder: removeFolder,
        op_pcm_file_rename: rename,
        op_pcm_file_read_link: readLink,
        op_pcm_file_set_times: setTimes,
        op_pcm_file_set_times_open: setTimesOpen,
    } = ops;
    const { freeze } = Object;
    const { ceil, floor, max } = Math;
    const Bytes = Uint8Array;
    const Names = Map;
    const Time = Date;
    const call = Function.prototype.call;
    const set = call.bind(Map.prototype.set);
    const split = call.bind(String.prototype.split);
    const subarray = call.bind(Bytes.prototype.subarray);

    /** Nobody's files are another's: what may be done with one is no matter of its mode. */
    const MODES = freeze([REGULAR | 0o644, DIRECTORY | 0o755, 0o120777, 0o020000]);
    const BLOCK = 4096;
    const WRITE_ONLY = 1;

    // Where ops leave their answers, in fields of eight bytes.
    const answers = new ArrayBuffer(64 << 10);
    const bytes = new Bytes(answers);
    const numbers = new Float64Array(answers);
    const wholes = new BigInt64Array(answers);
    const [KIND, SIZE, NUMBER, DEVICE, ACCESSED, MODIFIED, CHANGED] = [0, 1, 2, 3, 4, 6, 8];
    /** The fields of an entry of a listing: where it goes on, number, kind, where the name ends. */
    const ENTRY = 4;
    /** Where names are, in bytes. */
    const NAMES = answers.byteLength / 2;

    /** Whether attributes were told since `forget`. */
    let told = false;

    /** What an op gave, if that is no error. */
    const checked = (answer) => (answer < 0 ? fail(-answer) : answer);

    const time = (field) => new Time(Number(wholes[field]) * 1e3 + Number(wholes[field + 1]) / 1e6);

    /** Calls `op` as often as it takes. What went well before an error counts. */
    function inParts(length, op) {
        let done = 0;
        while (done < length) {
            const count = op(done);
            if (count < 0 && done === 0) fail(-count);
            if (count <= 0) break;
            done += count;
        }
        return done;
    }

    /** Opens something for as long as `work` takes. */
    function withOpen(path, flags, work) {
        const fd = checked(open(path, flags, bytes));
        try {
            return work(fd);
        } finally {
            close(fd);
        }
    }

    function putTimes(times) {
        for (let index = 0; index < 4; index++) numbers[index] = times[index];
    }

    return freeze({
        /** Asks for what lies at a path, and gives 0 or the number of an error, below zero. */
        look: (path, follow) => stat(path, follow, bytes),
        stat: (path, follow) => checked(stat(path, follow, bytes)),
        statOpen: (fd) => checked(statOpen(fd, bytes)),

        // What the last `look`, `stat`, `statOpen` or `open` told.
        mode: () => MODES[numbers[KIND]],
        size: () => numbers[SIZE],
        number: () => numbers[NUMBER],
        device: () => numbers[DEVICE],
        isFolder: () => (MODES[numbers[KIND]] & KINDS) === DIRECTORY,
        /** @returns {Attributes} */
        attributes() {
            told = true;
            return {
                dev: numbers[DEVICE],
                ino: numbers[NUMBER],
                mode: MODES[numbers[KIND]],
                nlink: 1,
                uid: 0,
                gid: 0,
                rdev: 0,
                size: numbers[SIZE],
                atime: time(ACCESSED),
                mtime: time(MODIFIED),
                ctime: time(CHANGED),
                blksize: BLOCK,
                blocks: ceil(numbers[SIZE] / 512),
            };
        },

        forget() {
            told = false;
        },
        /**
         * Writes the times of the attributes that were told since `forget` into a `struct stat`, exactly:
         * Emscripten has rounded them.
         */
        writeTimes(at, { HEAP64, HEAPU32 }) {
            if (!told) return;
            const put = (field, offset) => {
                HEAP64[(at + offset) >>> 3] = wholes[field];
                HEAPU32[(at + offset + 8) >>> 2] = Number(wholes[field + 1]);
            };
            put(ACCESSED, 40);
            put(MODIFIED, 56);
            put(CHANGED, 72);
        },

        /** What `statfs` tells. */
        room() {
            checked(room(bytes));
            const [most, used, mostEntries, entries] = numbers;
            const free = floor(max(most - used, 0) / BLOCK);
            const blocks = ceil(most / BLOCK);
            const ffree = max(mostEntries - entries, 0);
            return { bsize: BLOCK, blocks, bfree: free, bavail: free, files: mostEntries, ffree };
        },

        open: (path, flags) => checked(open(path, flags, bytes)),
        close: (fd) => checked(close(fd)),
        withOpen,

        read: (fd, memory, at, length, position) =>
            inParts(length, (done) => read(fd, memory, at + done, length - done, position + done)),
        write: (fd, memory, at, length, position, append) =>
            inParts(length, (done) =>
                write(fd, memory, at + done, length - done, position + done, append),
            ),
        setSize: (fd, size) => checked(setSize(fd, size)),
        resize: (path, size) => withOpen(path, WRITE_ONLY, (fd) => checked(setSize(fd, size))),

        /**
         * @param {number} fd
         * @returns {{ names: string[], known: Map<string, { id: number, mode: number }> }} the names in a
         * folder, and what is known of each
         */
        entries(fd) {
            const names = [];
            const known = new Names();
            let cookie = 0n;
            for (;;) {
                const count = checked(list(fd, cookie, bytes));
                if (count === 0) return { names, known };
                const end = NAMES + numbers[count * ENTRY - 1];
                const told = split(decode(subarray(bytes, NAMES, end)), "/");
                for (let index = 0; index < count; index++) {
                    const [at, name] = [index * ENTRY, told[index]];
                    names[names.length] = name;
                    set(known, name, { id: numbers[at + 1], mode: MODES[numbers[at + 2]] });
                }
                cookie = wholes[(count - 1) * ENTRY];
            }
        },

        makeFolder: (path) => checked(makeFolder(path)),
        remove: (path) => checked(remove(path)),
        removeFolder: (path) => checked(removeFolder(path)),
        rename: (from, to) => checked(rename(from, to)),
        readLink(path) {
            const length = checked(readLink(path, bytes));
            return decode(subarray(bytes, 0, length));
        },

        /** Sets times: seconds and nanoseconds of the one, then of the other. */
        setTimes(path, follow, times) {
            putTimes(times);
            checked(setTimes(path, follow, bytes));
        },
        setTimesOpen(fd, times) {
            putTimes(times);
            checked(setTimesOpen(fd, bytes));
        },
    });
}
