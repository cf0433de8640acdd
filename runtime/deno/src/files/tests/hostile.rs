//! Ops as somebody calls them who has got hold of them.

use pcm_runtime_api::Limits;

use super::{SharedFiles, script};

/// The numbers of errors.
const NUMBERS: &str =
    "const [BADF, EXIST, FAULT, ILSEQ, INVAL, ISDIR, NAMETOOLONG, NOENT, NOSPC] = \
                       [8, 20, 21, 25, 28, 31, 37, 44, 51];
const { ops } = Deno.core;
const room = new Uint8Array(80);
const equal = (told, expected, what) => {
  if (told !== expected) throw new Error(`${what}: ${told}, not ${expected}`);
};";

#[test]
fn paths_and_numbers_are_checked() {
    let code = r#"
const open = (path, flags = 0o102) => ops.op_pcm_file_open(path, flags, room);
const fd = open("/work/a");
if (fd < 4) throw new Error(`no descriptor: ${fd}`);
const memory = new Uint8Array(100);
equal(ops.op_pcm_file_write(fd, memory, 0, 100, 0, false), 100, "write");
for (const [path, error] of [
  ["", NOENT], ["/work/b\0", INVAL], ["/work/\ud800", ILSEQ], ["/" + "a".repeat(5000), NAMETOOLONG],
  ["/" + "é".repeat(200), NAMETOOLONG], ["/work/x".repeat(1 << 24), NAMETOOLONG], ["/none/a", NOENT],
  ["/work", ISDIR],
]) {
  equal(open(path), -error, `open ${path.slice(0, 20)}`);
}
equal(ops.op_pcm_file_stat("/a".repeat(1 << 25), true, room), -NAMETOOLONG, "a long path");
for (const [at, length] of [[0, 101], [101, 0], [1, 100], [2 ** 32 - 1, 1], [0, 2 ** 32 - 1], [-1, 1], [-1, -1]]) {
  equal(ops.op_pcm_file_read(fd, memory, at, length, 0), -FAULT, `read ${at} ${length}`);
  equal(ops.op_pcm_file_write(fd, memory, at, length, 0, false), -FAULT, `write ${at} ${length}`);
}
for (const position of [-1, NaN, Infinity, -Infinity, 0.5, 2 ** 53, 1e300, -0.1]) {
  equal(ops.op_pcm_file_read(fd, memory, 0, 10, position), -INVAL, `read at ${position}`);
  equal(ops.op_pcm_file_write(fd, memory, 0, 10, position, false), -INVAL, `write at ${position}`);
  equal(ops.op_pcm_file_set_size(fd, position), -INVAL, `size ${position}`);
}
equal(ops.op_pcm_file_write(fd, memory, 0, 10, 2 ** 53 - 1, false), -NOSPC, "the quota");
equal(ops.op_pcm_file_set_size(fd, 2 ** 53 - 1), -NOSPC, "the quota");
equal(ops.op_pcm_file_read(fd, memory, 0, 10, 2 ** 53 - 1), 0, "behind the end");
for (const bad of [0, 1, 2, fd + 1, -1, 2 ** 31, 2 ** 32 - 1]) {
  equal(ops.op_pcm_file_stat_open(bad, room), -BADF, `stat ${bad}`);
  equal(ops.op_pcm_file_close(bad), -BADF, `close ${bad}`);
}
for (const small of [new Uint8Array(0), new Uint8Array(79)]) {
  equal(ops.op_pcm_file_stat("/work", true, small), -FAULT, "a small buffer");
  for (let count = 0; count < 300; count++) {
    equal(ops.op_pcm_file_open("/work/a", 0, small), -FAULT, "no descriptor is left behind");
  }
}
const folder = open("/work", 0);
equal(ops.op_pcm_file_list(folder, 0n, new Uint8Array(16)), -INVAL, "no room for an entry");
equal(ops.op_pcm_file_list(folder, 2n ** 64n - 1n, new Uint8Array(1000)), 0, "after the last");
equal(ops.op_pcm_file_list(folder, 0n, new Uint8Array(1000)), 3, "two dots and a name");
equal(ops.op_pcm_file_list(fd, 0n, new Uint8Array(1000)), -54, "no folder");
equal(open("/work/a", 3), -INVAL, "neither read nor written");
equal(open("/work/a", 0o300), -EXIST, "exclusive");
const times = new Float64Array(4);
const bytes = new Uint8Array(times.buffer);
for (const time of [[NaN, 0], [0, NaN], [0, 1e9], [0, -1], [0.5, 0], [1e300, 0], [Infinity, 0]]) {
  times.set([...time, 0, 0]);
  equal(ops.op_pcm_file_set_times("/work/a", true, bytes), -INVAL, `time ${time}`);
}
times.set([-5, 0, 2 ** 52, 999_999_999]);
equal(ops.op_pcm_file_set_times("/work/a", true, bytes), 0, "far away times");
equal(ops.op_pcm_file_set_times_open(fd, bytes.subarray(1)), -FAULT, "not all of the times");
const buffer = new ArrayBuffer(80);
const gone = new Uint8Array(buffer);
structuredCloneTransfer(buffer);
equal(ops.op_pcm_file_stat("/work", true, gone), -FAULT, "a buffer that is gone");
"done";
"#;
    // What detaches a buffer, in an isolate that has no `structuredClone`.
    let detach = "const structuredCloneTransfer = (buffer) => buffer.transfer();";
    let limits = Limits { vfs_bytes: 1 << 20, ..Limits::default() };
    let files = SharedFiles::new(&limits.into()).unwrap();
    script(Some(files), &format!("{NUMBERS}\n{detach}\n{code}"));
}

/// Every op with numbers, strings and buffers from the borders, and with what is none of them: it
/// gives a number, or throws.
#[test]
fn nothing_that_a_guest_passes_ends_its_host() {
    let code = r#"
const names = Object.keys(ops).filter((name) => name.startsWith("op_pcm_file_"));
if (names.length !== 16) throw new Error(`${names}`);
const values = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 80, 255, 4096, 65535, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53, -1, -0,
  0.5, NaN, Infinity, -Infinity, 1e308, 0n, 2n ** 63n, 2n ** 64n - 1n, -1n, 0o102, 0o1102, 0o200000,
  "", "/", "/work", "/work/a", "/work/b", "/work/c/d", "..", "/tmp/../work/./a/", "\0", "\ud800", "ü", "/" + "x".repeat(300),
  new Uint8Array(0), new Uint8Array(79), new Uint8Array(4096), new Uint8Array(65536), new Uint8Array(3 << 20),
  new Float64Array(100), new ArrayBuffer(100), new DataView(new ArrayBuffer(8)), true, false, null, undefined,
  {}, [], () => 1, Symbol("s"), { valueOf() { throw 1; } }, { toString() { throw 1; } },
];
let seed = 0x2545f491;
const next = (below) => {
  seed ^= seed << 13; seed ^= seed >>> 17; seed ^= seed << 5;
  return (seed >>> 0) % below;
};
const kinds = { string: (value) => typeof value === "string", buffer: (value) => value instanceof Uint8Array };
const like = (kind) => { const some = values.filter(kinds[kind]); return () => some[next(some.length)]; };
const [text, buffer, any] = [like("string"), like("buffer"), () => values[next(values.length)]];
const number = () => (next(3) === 0 ? any() : next(20));
// Mostly what an op takes, so that it gets somewhere.
const shapes = {
  stat: [text, any, buffer], stat_open: [number, buffer], room: [buffer], open: [text, any, buffer], close: [number],
  read: [number, buffer, number, any, number], write: [number, buffer, number, any, number, any],
  set_size: [number, any], list: [number, any, buffer], make_folder: [text], remove: [text], remove_folder: [text],
  rename: [text, text], read_link: [text, buffer], set_times: [text, any, buffer], set_times_open: [number, buffer],
};
let answered = 0;
for (let round = 0; round < 60_000; round++) {
  const name = names[next(names.length)];
  const shape = shapes[name.slice("op_pcm_file_".length)];
  const parameters = shape.map((one) => (next(8) === 0 ? any() : one()));
  if (next(50) === 0) parameters.pop();
  let told;
  try { told = ops[name](...parameters); } catch { continue; }
  answered += 1;
  if (!Number.isInteger(told) || told < -75) throw new Error(`${name}: ${told}`);
}
if (answered < 30_000) throw new Error(`${answered} answers`);
"done";
"#;
    let limits = Limits { vfs_bytes: 4 << 20, vfs_entries: 100, ..Limits::default() };
    let files = SharedFiles::new(&limits.clone().into()).unwrap();
    script(Some(files.clone()), &format!("{NUMBERS}\n{code}"));
    let files = files.snapshot();
    assert!(files.bytes() <= limits.vfs_bytes && files.entries() <= limits.vfs_entries);
}

#[test]
fn without_a_session_there_are_no_files() {
    let code = r#"
equal(ops.op_pcm_file_stat("/work", true, room), -29, "a folder");
equal(ops.op_pcm_file_open("/work/a", 0o102, room), -29, "a file");
"done";
"#;
    script(None, &format!("{NUMBERS}\n{code}"));
}
