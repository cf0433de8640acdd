// The session's files, in the place of Emscripten's own.
//
// Emscripten keeps a tree of nodes in JavaScript with a table of all names in it, and asks a file system
// for one name after the other. Here the tree is the host's (runtime/files): it changes without the
// guest, and it takes whole paths. So the functions of `FS` that take a path are replaced. What lies in
// one of the interpreter's own places stays Emscripten's, in memory; everything else goes to the host,
// and nothing that the host said is remembered. Descriptors, positions, pipes and devices stay
// Emscripten's too.

/**
 * What is known of a file: the attributes that Emscripten asks a file system for.
 * @typedef {{ dev: number, ino: number, mode: number, nlink: number, uid: number, gid: number,
 *   rdev: number, size: number, atime: Date, mtime: Date, ctime: Date, blksize: number,
 *   blocks: number }} Attributes
 */

/**
 * What a descriptor of the host is open on, shared by all streams that are copies of each other.
 * @typedef {{ fd: number, streams: number }} Handle
 */

/**
 * @param {object} ops the functions of the host, see runtime/deno/src/files/calls.rs
 */
function makeFiles(ops) {
  "use strict";
  /** What the host does with files: a number below zero is an error. */
  const host = Object.freeze({
    stat: ops.op_pcm_file_stat,
    statOpen: ops.op_pcm_file_stat_open,
    room: ops.op_pcm_file_room,
    open: ops.op_pcm_file_open,
    close: ops.op_pcm_file_close,
    read: ops.op_pcm_file_read,
    write: ops.op_pcm_file_write,
    setSize: ops.op_pcm_file_set_size,
    list: ops.op_pcm_file_list,
    makeFolder: ops.op_pcm_file_make_folder,
    remove: ops.op_pcm_file_remove,
    removeFolder: ops.op_pcm_file_remove_folder,
    rename: ops.op_pcm_file_rename,
    readLink: ops.op_pcm_file_read_link,
    setTimes: ops.op_pcm_file_set_times,
    setTimesOpen: ops.op_pcm_file_set_times_open,
  });
  const { op_pcm_decode: decode } = ops;
  const { assign, defineProperty, freeze } = Object;
  const { ceil, floor, max } = Math;
  const { isSafeInteger } = Number;
  const Bytes = Uint8Array;
  const Time = Date;
  const Names = Map;
  /** Makes a method a function, which stays what it is whatever becomes of the method. */
  const uncurried = Function.prototype.call.bind.bind(Function.prototype.call);
  const includes = uncurried(String.prototype.includes);
  const startsWith = uncurried(String.prototype.startsWith);
  const endsWith = uncurried(String.prototype.endsWith);
  const lastIndexOf = uncurried(String.prototype.lastIndexOf);
  const slice = uncurried(String.prototype.slice);
  const split = uncurried(String.prototype.split);
  const join = uncurried(Array.prototype.join);
  const subarray = uncurried(Bytes.prototype.subarray);
  const find = uncurried(Bytes.prototype.indexOf);
  const get = uncurried(Map.prototype.get);
  const set = uncurried(Map.prototype.set);

  /** Numbers of errors, those of WASI. */
  const EILSEQ = 25;
  const EINVAL = 28;
  const ENAMETOOLONG = 37;
  const ENOENT = 44;
  const ENOMEM = 48;
  const ENOTDIR = 54;
  const EPERM = 63;
  const EROFS = 69;
  const EXDEV = 75;

  /** How files are opened. */
  const WRITE_ONLY = 1;
  const ACCESS = 3;
  const CREATE = 0o100;
  const EXCLUSIVE = 0o200;
  const TRUNCATE = 0o1000;
  const APPEND = 0o2000;
  const NO_FOLLOW = 0o400000;
  const FLAGS_OF_OPENING = EXCLUSIVE | TRUNCATE | NO_FOLLOW;

  /** What kinds of files there are, and the mode that each is shown with: nobody's is another's. */
  const FILE = 0;
  const FOLDER = 1;
  const KINDS = 0o170000;
  const REGULAR = 0o100000;
  const DIRECTORY = 0o040000;
  const MODES = freeze([REGULAR | 0o644, DIRECTORY | 0o755, 0o120777, 0o020000]);
  const BLOCK = 4096;

  const LONGEST_PATH = 4096;
  /** In the place of nanoseconds: the time stays what it is. */
  const KEEP = 0x3ffffffe;
  const NOW = 0x3fffffff;
  /** The flag of `utimensat` and its like. */
  const SYMLINK_NOFOLLOW = 0x100;

  /** The interpreter's own: what Emscripten needs, and the standard library. */
  const OWN = freeze(["/dev", "/proc", "/lib/python3.14", "/lib/python314.zip"]);

  // Where ops leave their answers, eight bytes a field.
  const scratch = new ArrayBuffer(64 << 10);
  const bytes = new Bytes(scratch);
  const numbers = new Float64Array(scratch);
  const wholes = new BigInt64Array(scratch);
  const [KIND, SIZE, NUMBER, DEVICE, ACCESSED, MODIFIED, CHANGED] = [0, 1, 2, 3, 4, 6, 8];
  /** The fields of an entry of a listing. The second half of the buffer has the names. */
  const ENTRY = 4;
  const NAMES = scratch.byteLength / 2;

  let module;
  let FS;
  /** Whether the interpreter's own places may still be changed. */
  let sealed = false;
  /** The answer of the last call is that of a stat. */
  let told = false;
  /** The times that Python wants to set, exactly. */
  let wanted;

  const fail = (errno) => {
    throw new FS.ErrnoError(errno);
  };

  /** What an op gave, if that is no error. */
  const checked = (answer) => (answer < 0 ? fail(-answer) : answer);

  /** A path from the root. */
  function absolute(path) {
    if (typeof path !== "string") fail(EINVAL);
    if (path === "") fail(ENOENT);
    return path[0] === "/" ? path : `${FS.currentPath}/${path}`;
  }

  /** A path from the root without `.`, `..` and superfluous slashes, as its text has it. */
  function normalized(path) {
    const names = [];
    for (const name of split(path, "/")) {
      if (name === "..") names.length = names.length > 0 ? names.length - 1 : 0;
      else if (name !== "" && name !== ".") names[names.length] = name;
    }
    return `/${join(names, "/")}`;
  }

  /** The path, if it leads to one of the interpreter's own places. */
  function own(path) {
    const plain = includes(path, "/.") || includes(path, "//") ? normalized(path) : path;
    for (let index = 0; index < OWN.length; index++) {
      const place = OWN[index];
      if (startsWith(plain, place) && (plain.length === place.length || plain[place.length] === "/")) {
        return plain;
      }
    }
    return undefined;
  }

  /** The path of the folder that something lies in. */
  function above(path) {
    const plain = normalized(path);
    const end = lastIndexOf(plain, "/");
    return end === 0 ? "/" : slice(plain, 0, end);
  }

  const isOwnWritable = () => {
    if (sealed) fail(EROFS);
  };

  const time = (field) => new Time(Number(wholes[field]) * 1e3 + Number(wholes[field + 1]) / 1e6);

  /** @returns {Attributes} what the last op told */
  function attributes() {
    told = true;
    const size = numbers[SIZE];
    return {
      dev: numbers[DEVICE],
      ino: numbers[NUMBER],
      mode: MODES[numbers[KIND]],
      nlink: 1,
      uid: 0,
      gid: 0,
      rdev: 0,
      size,
      atime: time(ACCESSED),
      mtime: time(MODIFIED),
      ctime: time(CHANGED),
      blksize: BLOCK,
      blocks: ceil(size / 512),
    };
  }

  const statistics = () => {
    checked(host.room(bytes));
    const [most, used, mostEntries, entries] = numbers;
    const free = floor(max(most - used, 0) / BLOCK);
    const ffree = max(mostEntries - entries, 0);
    return { bfree: free, bavail: free, blocks: ceil(most / BLOCK), files: mostEntries, ffree };
  };

  const nodeFunctions = freeze({
    getattr(node) {
      checked(host.stat(node.path, node.follows, bytes));
      return attributes();
    },
    setattr(node, { size, mtime, atime }) {
      if (size !== undefined) resize(node.path, size);
      if (mtime != null || atime != null) changeTimes(node.path, node.follows, atime, mtime);
    },
    lookup: (folder, name) => FS.lookupNode(folder, name),
    readdir: (node) => FS.readdir(node.path),
    readlink: (node) => FS.readlink(node.path),
    statfs: statistics,
  });

  /**
   * A node for who wants one, as the host told of it just now. Emscripten does not keep it: it is in no
   * table, and is the root of a file system of its own.
   */
  function makeNode(path, follows = true) {
    const node = {
      path,
      follows,
      name: slice(path, lastIndexOf(path, "/") + 1),
      id: numbers[NUMBER],
      mode: MODES[numbers[KIND]],
      rdev: 0,
      mounted: null,
      mount: { mountpoint: path, mounts: [], opts: { root: "/" } },
      node_ops: nodeFunctions,
      stream_ops: streamFunctions,
      /** The entries of the last listing by name, where it is open as a folder. */
      entries: undefined,
    };
    node.parent = node;
    return node;
  }

  const isHost = (node) => node?.node_ops === nodeFunctions;

  /** Where the bytes are that someone wants read or written: linear memory, most of the time. */
  function place(buffer) {
    const heap = module.HEAPU8;
    if (buffer.buffer === heap.buffer && buffer.byteOffset === 0) return heap;
    return new Bytes(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  }

  /** Calls `op` as often as it takes: each call does a part. */
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

  const streamFunctions = freeze({
    getattr({ handle }) {
      checked(host.statOpen(handle.fd, bytes));
      return attributes();
    },
    setattr({ handle }, { size }) {
      // Owners and modes are the same for everything, and are set in vain.
      if (size !== undefined) checked(host.setSize(handle.fd, size));
    },
    dup(stream) {
      stream.handle.streams += 1;
      if (isFolder(stream.node)) showEntries(stream);
    },
    close({ handle }) {
      handle.streams -= 1;
      if (handle.streams === 0) checked(host.close(handle.fd));
    },
    llseek(stream, offset, whence) {
      let position = offset;
      if (whence === 1) position += stream.position;
      if (whence === 2 && !isFolder(stream.node)) {
        checked(host.statOpen(stream.handle.fd, bytes));
        position += numbers[SIZE];
      }
      if (position < 0 || !isSafeInteger(position)) fail(EINVAL);
      return position;
    },
    read({ handle }, buffer, offset, length, position) {
      const memory = place(buffer);
      const at = offset >>> 0;
      return inParts(length, (done) =>
        host.read(handle.fd, memory, at + done, length - done, position + done),
      );
    },
    write(stream, buffer, offset, length, position) {
      const { handle, flags } = stream;
      const memory = place(buffer);
      const at = offset >>> 0;
      // `FS.write` has moved to the end; who names a position of their own gets it.
      const append = (flags & APPEND) !== 0 && position === stream.position;
      return inParts(length, (done) =>
        host.write(handle.fd, memory, at + done, length - done, position + done, append),
      );
    },
    mmap(stream, length, position) {
      const ptr = module.mmapAlloc(length) >>> 0;
      if (ptr === 0) fail(ENOMEM);
      streamFunctions.read(stream, module.HEAPU8, ptr, length, position);
      return { ptr, allocated: true };
    },
    msync(stream, buffer, offset, length) {
      streamFunctions.write(stream, buffer, 0, length, offset);
      return 0;
    },
  });

  const isFolder = (node) => (node.mode & KINDS) === DIRECTORY;

  /** Opens a descriptor of the host, for as long as `work` takes. */
  function withOpen(path, flags, work) {
    const fd = checked(host.open(path, flags, bytes));
    try {
      return work(fd);
    } finally {
      host.close(fd);
    }
  }

  /** The names in a folder, and for each its number and mode. */
  function entries(fd) {
    const names = [];
    const known = new Names();
    let cookie = 0n;
    for (;;) {
      const count = checked(host.list(fd, cookie, bytes));
      if (count === 0) return { names, known };
      const end = NAMES + numbers[count * ENTRY - 1];
      const text = split(decode(subarray(bytes, NAMES, end)), "/");
      for (let index = 0; index < count; index++) {
        const [at, name] = [index * ENTRY, text[index]];
        names[names.length] = name;
        set(known, name, { id: numbers[at + 1], mode: MODES[numbers[at + 2]] });
      }
      cookie = wholes[(count - 1) * ENTRY];
    }
  }

  /**
   * Gives a stream the listing that Emscripten looks for in it, made when it is looked for, and anew
   * after Emscripten has thrown it away.
   */
  function showEntries(stream) {
    let names;
    defineProperty(stream, "getdents", {
      enumerable: false, // copies have their own
      configurable: true,
      get() {
        if (names === undefined) {
          const listing = entries(stream.handle.fd);
          names = listing.names;
          stream.node.entries = listing.known;
        }
        return names;
      },
      set(_nothing) {
        names = undefined;
      },
    });
  }

  function resize(path, size) {
    withOpen(path, WRITE_ONLY, (fd) => checked(host.setSize(fd, size)));
  }

  /** The seconds and nanoseconds of a time in milliseconds. */
  function parts(milliseconds) {
    if (milliseconds == null) return [0, KEEP];
    const seconds = floor(milliseconds / 1e3);
    return [seconds, floor((milliseconds - seconds * 1e3) * 1e6)];
  }

  function changeTimes(path, follow, atime, mtime) {
    const times = wanted?.times ?? [...parts(atime), ...parts(mtime)];
    for (let index = 0; index < times.length; index++) numbers[index] = times[index];
    const handle = wanted?.handle;
    if (handle !== undefined) checked(host.setTimesOpen(handle.fd, bytes));
    else checked(host.setTimes(path, wanted?.follow ?? follow, bytes));
  }

  /**
   * The functions that stand in the place of Emscripten's; `theirs` are those.
   * @param {object} theirs
   */
  const replacements = (theirs) => ({
    lookupPath(path, options = {}) {
      const full = absolute(path);
      const special = own(full);
      if (special !== undefined) return theirs.lookupPath(special, options);
      const follow = options.follow === true;
      const target = options.parent ? above(full) : full;
      const answer = host.stat(target, options.parent || follow, bytes);
      if (answer === -ENOENT && options.noent_okay) return { path: full };
      checked(answer);
      return { path: target, node: makeNode(target, options.parent || follow) };
    },

    lookupNode(parent, name) {
      if (!isHost(parent)) return theirs.lookupNode(parent, name);
      const entry = parent.entries && get(parent.entries, name);
      return entry ?? FS.lookupPath(`${parent.path}/${name}`).node;
    },

    stat(path, dontFollow) {
      const full = absolute(path);
      const special = own(full);
      if (special !== undefined) return theirs.stat(special, dontFollow);
      checked(host.stat(full, !dontFollow, bytes));
      return attributes();
    },

    open(path, flags, mode) {
      if (path !== null && typeof path === "object") {
        return isHost(path) ? FS.open(path.path, flags, mode) : theirs.open(path, flags, mode);
      }
      const how = module.FS_modeStringToFlags(flags);
      const full = absolute(path);
      const special = own(full);
      if (special !== undefined) return openOwn(theirs, special, how, mode);
      const fd = checked(host.open(full, how >>> 0, bytes));
      const node = makeNode(full);
      try {
        const handle = { fd, streams: 1 };
        const stream = FS.createStream({
          node,
          path: full,
          flags: how & ~FLAGS_OF_OPENING,
          seekable: true,
          position: 0,
          stream_ops: streamFunctions,
          ungotten: [],
          error: false,
          handle,
        });
        if (isFolder(node)) showEntries(stream);
        return stream;
      } catch (error) {
        host.close(fd);
        throw error;
      }
    },

    mknod(path, mode, dev) {
      const full = absolute(path);
      const special = own(full);
      if (special !== undefined) {
        isOwnWritable();
        return theirs.mknod(special, mode, dev);
      }
      if ((mode & KINDS) === DIRECTORY) checked(host.makeFolder(full));
      else if ((mode & KINDS) === REGULAR) {
        withOpen(full, WRITE_ONLY | CREATE | EXCLUSIVE, () => {});
      } else fail(EPERM);
      return FS.lookupPath(full).node;
    },

    symlink(target, path) {
      const special = own(absolute(path));
      if (special === undefined) fail(EPERM);
      isOwnWritable();
      return theirs.symlink(target, special);
    },

    rename(from, to) {
      const paths = [absolute(from), absolute(to)];
      const [special, other] = [own(paths[0]), own(paths[1])];
      if (special === undefined && other === undefined) {
        checked(host.rename(paths[0], paths[1]));
        return;
      }
      isOwnWritable();
      if (special === undefined || other === undefined) fail(EXDEV);
      theirs.rename(special, other);
    },

    rmdir: (path) => removeBy(path, host.removeFolder, theirs.rmdir),
    unlink: (path) => removeBy(path, host.remove, theirs.unlink),

    readdir(path) {
      const full = absolute(path);
      const special = own(full);
      if (special !== undefined) return theirs.readdir(special);
      return withOpen(full, 0, (fd) => {
        if (numbers[KIND] !== FOLDER) fail(ENOTDIR);
        return entries(fd).names;
      });
    },

    readlink(path) {
      const full = absolute(path);
      const special = own(full);
      if (special !== undefined) return theirs.readlink(special);
      const length = checked(host.readLink(full, bytes));
      return decode(subarray(bytes, 0, length));
    },

    fchmod(fd, mode) {
      const { node } = FS.getStreamChecked(fd);
      if (isHost(node)) return;
      isOwnWritable();
      theirs.fchmod(fd, mode);
    },
    chmod: (path, mode, dontFollow) => setInVain(path, dontFollow, theirs.chmod, [path, mode, dontFollow]),
    chown: (path, uid, gid, dontFollow) =>
      setInVain(path, dontFollow, theirs.chown, [path, uid, gid, dontFollow]),

    truncate(path, length) {
      if (typeof path === "object" && !isHost(path)) return theirs.truncate(path, length);
      const full = absolute(typeof path === "object" ? path.path : path);
      const special = own(full);
      if (special === undefined) return resize(full, length);
      isOwnWritable();
      return theirs.truncate(special, length);
    },

    utime(path, atime, mtime) {
      const full = absolute(path);
      const special = own(full);
      if (special === undefined) return changeTimes(full, true, atime, mtime);
      isOwnWritable();
      return theirs.utime(special, atime, mtime);
    },

    chdir(path) {
      const full = absolute(path);
      const special = own(full);
      if (special !== undefined) return theirs.chdir(special);
      checked(host.stat(full, true, bytes));
      if (numbers[KIND] !== FOLDER) fail(ENOTDIR);
      const [device, number] = [numbers[DEVICE], numbers[NUMBER]];
      // Behind a symbolic link, `..` may be another folder than it seems.
      const plain = normalized(full);
      const same = host.stat(plain, true, bytes) === 0;
      const isSame = same && numbers[DEVICE] === device && numbers[NUMBER] === number;
      FS.currentPath = isSame ? plain : full;
    },

    mount(type, options, mountpoint) {
      if (mountpoint && sealed) fail(EPERM);
      return theirs.mount(type, options, mountpoint);
    },
  });

  /** Opens what is the interpreter's own: to read it, or a device. */
  function openOwn(theirs, path, flags, mode) {
    if (!sealed) return theirs.open(path, flags, mode);
    const { node } = theirs.lookupPath(path, { follow: true });
    const writes = (flags & ACCESS) !== 0 || (flags & TRUNCATE) !== 0;
    if (writes && !FS.isChrdev(node.mode) && !FS.isDir(node.mode)) fail(EROFS);
    return theirs.open(path, flags, mode);
  }

  function removeBy(path, removing, theirs) {
    const full = absolute(path);
    const special = own(full);
    if (special !== undefined) {
      isOwnWritable();
      theirs(special);
      return;
    }
    checked(removing(full));
  }

  /** Everything belongs to everybody: that is nothing to change, but the file has to be there. */
  function setInVain(path, dontFollow, theirs, parameters) {
    if (typeof path === "object" && !isHost(path)) return theirs(...parameters);
    const full = absolute(typeof path === "object" ? path.path : path);
    if (own(full) === undefined) {
      checked(host.stat(full, !dontFollow, bytes));
      return undefined;
    }
    isOwnWritable();
    return theirs(...parameters);
  }

  /** A path as libc has it in memory, which has to be text here. */
  function readPath(at) {
    const start = at >>> 0;
    if (start === 0) return "";
    const heap = module.HEAPU8;
    const end = find(heap, 0, start);
    if (end < 0 || end - start > LONGEST_PATH) fail(ENAMETOOLONG);
    const path = decode(subarray(heap, start, end));
    return includes(path, "\ufffd") ? fail(EILSEQ) : path;
  }

  /** Writes times where Emscripten has rounded them, which counts in fractions of milliseconds. */
  function writeTimes(at) {
    for (const [field, offset] of [
      [ACCESSED, 40],
      [MODIFIED, 56],
      [CHANGED, 72],
    ]) {
      module.HEAP64[(at + offset) >>> 3] = wholes[field];
      module.HEAPU32[(at + offset + 8) >>> 2] = Number(wholes[field + 1]);
    }
  }

  /** The two times at an address, as they are wanted. */
  function readTimes(at) {
    if (at === 0) return [0, NOW, 0, NOW];
    const { HEAP64, HEAP32 } = module;
    return [
      Number(HEAP64[at >>> 3]),
      HEAP32[(at + 8) >>> 2],
      Number(HEAP64[(at + 16) >>> 3]),
      HEAP32[(at + 24) >>> 2],
    ];
  }

  /** Puts a function around one of the imports of the module. */
  function around(imports, name, wrapped) {
    const call = imports.env[name];
    const wrapper = wrapped(call);
    wrapper.sig = call.sig;
    imports.env[name] = wrapper;
  }

  return freeze({
    /**
     * Makes times exact, before the module is instantiated.
     * @param {{ env: Record<string, Function> }} imports
     */
    wrap(imports) {
      for (const [name, position] of [
        ["__syscall_stat64", 1],
        ["__syscall_lstat64", 1],
        ["__syscall_fstat64", 1],
        ["__syscall_newfstatat", 2],
      ]) {
        around(imports, name, (call) => (...parameters) => {
          told = false;
          const result = call(...parameters);
          if (result === 0 && told) writeTimes(parameters[position] >>> 0);
          return result;
        });
      }
      around(imports, "__syscall_utimensat", (call) => (fd, path, times, flags) => {
        const handle = path >>> 0 === 0 ? FS.getStream(fd)?.handle : undefined;
        const follow = (flags & SYMLINK_NOFOLLOW) === 0;
        wanted = { times: readTimes(times >>> 0), handle, follow };
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
      created.readPath = readPath;
      assign(FS, replacements({ ...FS }));
    },

    /** From now on the interpreter's own places are what they are. */
    seal() {
      sealed = true;
    },
  });
}
