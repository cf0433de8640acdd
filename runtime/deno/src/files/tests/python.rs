//! What programs do with files, as they do it on every wall.

use serde_json::json;

use super::fresh;

#[test]
fn a_session_works_in_its_own_folder() {
    fresh(|session| {
        let code = "
import pathlib
with open('a.txt', 'w') as f: f.write('hällo\\n')
[os.getcwd(), os.listdir(), os.listdir('/'), open('/work/a.txt').read(), str(pathlib.Path.cwd()),
 str(pathlib.Path.home()), os.path.expanduser('~/x'), os.path.abspath('a.txt')]";
        let expected = json!([
            "/work",
            ["a.txt"],
            ["tmp", "work"],
            "hällo\n",
            "/work",
            "/work",
            "/work/x",
            "/work/a.txt"
        ]);
        session.check(code, &expected);
        let code =
            "os.mkdir('d'); os.chdir('d'); open('b', 'w').close(); [os.getcwd(), os.listdir('..')]";
        session.check(code, &json!(["/work/d", ["a.txt", "d"]]));
        session.check("open('../a.txt').read()", &json!("hällo\n"));
        session.check("os.chdir('..//./d/../'); os.getcwd()", &json!("/work"));
        session.check_refused("os.chdir('a.txt')", "NotADirectoryError ENOTDIR");
        session.check_refused("os.chdir('none')", "FileNotFoundError ENOENT");
        let code = "os.chdir('/'); open('tmp/x', 'w').close(); [os.getcwd(), os.listdir('tmp')]";
        session.check(code, &json!(["/", ["x"]]));
        let code = "fd = os.open('/work/d', os.O_RDONLY); os.fchdir(fd); os.close(fd); os.getcwd()";
        session.check(code, &json!("/work/d"));
    });
}

#[test]
fn files_are_opened_in_every_mode() {
    fresh(|session| {
        let code = "
def write(mode, data, name='f'):
    with open(name, mode) as f: return f.write(data)
write('x', 'one'); write('a', ' two')
try: write('x', '')
except FileExistsError: pass
with open('f', 'r+') as f:
    f.seek(4); f.write('TWO'); f.seek(0); whole = f.read()
with open('f', 'r+b') as f:
    f.truncate(3); f.seek(0, 2); end = f.tell()
with open('f', 'a+') as f:
    f.write('!'); f.seek(0); appended = f.read()
with open('f', 'w+b', buffering=0) as f:
    f.write(b'raw'); f.seek(1); raw = f.read().decode()
os.truncate('f', 5); padded = open('f', 'rb').read().hex()
fd = os.open('f', os.O_RDWR | os.O_CREAT)
os.pwrite(fd, b'XY', 1)
part = os.pread(fd, 3, 0).decode(); os.fsync(fd); os.close(fd)
[whole, end, appended, raw, padded, part]";
        let expected = json!(["one TWO", 3, "one!", "aw", "7261770000", "rXY"]);
        session.check(code, &expected);
        for (code, error) in [
            ("open('none')", "FileNotFoundError ENOENT"),
            ("open('')", "FileNotFoundError ENOENT"),
            ("open('f/x')", "NotADirectoryError ENOTDIR"),
            ("open('f/')", "NotADirectoryError ENOTDIR"),
            ("open('new/', 'w')", "IsADirectoryError EISDIR"),
            ("open('/work', 'w')", "IsADirectoryError EISDIR"),
            ("open('/work')", "IsADirectoryError EISDIR"),
            ("open('f').write('x')", "UnsupportedOperation"),
            ("os.write(os.open('f', os.O_RDONLY), b'x')", "OSError EBADF"),
            ("os.read(os.open('f', os.O_WRONLY), 1)", "OSError EBADF"),
            ("os.ftruncate(os.open('f', os.O_RDONLY), 1)", "OSError EINVAL"),
            ("os.lseek(os.open('f', os.O_RDONLY), -1, 0)", "OSError EINVAL"),
            ("os.open('f', os.O_RDONLY | os.O_DIRECTORY)", "NotADirectoryError ENOTDIR"),
            ("os.rmdir('/')", "OSError EBUSY"),
            ("os.rmdir('f')", "NotADirectoryError ENOTDIR"),
            ("os.unlink('/work')", "IsADirectoryError EISDIR"),
            ("os.mkdir('f')", "FileExistsError EEXIST"),
            ("os.mkdir('none/d')", "FileNotFoundError ENOENT"),
            ("open('a' * 300, 'w')", "OSError ENAMETOOLONG"),
            ("open('/work/' + 'a/' * 3000)", "OSError ENAMETOOLONG"),
            ("open('a\\x00b')", "ValueError"),
            ("open(b'\\xc3.txt', 'w')", "OSError EILSEQ"),
            ("open(b'a long name that is not text \\xff', 'w')", "OSError EILSEQ"),
            ("os.symlink('/etc/passwd', 'l')", "PermissionError EPERM"),
            ("os.readlink('f')", "OSError EINVAL"),
        ] {
            session.check_refused(code, error);
        }
        session.check("os.listdir()", &json!(["f"]));
    });
}

#[test]
fn the_modules_for_files_work() {
    fresh(|session| {
        let code = "
import shutil, tempfile, pathlib, glob, filecmp
p = pathlib.Path('tree/sub'); p.mkdir(parents=True)
for i in range(5): (p / f'{i}.txt').write_text(str(i))
(p.parent / 'top').write_bytes(b'x' * 100_000)
shutil.copytree('tree', 'copy')
shutil.move('copy', 'moved')
shutil.copy2('tree/top', 'top2')
same = filecmp.cmp('tree/top', 'top2') and filecmp.dircmp('tree', 'moved').diff_files == []
walked = sorted((root, sorted(dirs), len(files)) for root, dirs, files in os.walk('tree'))
scanned = sorted((e.name, e.is_dir(), e.stat().st_size, e.inode() == e.stat().st_ino) for e in os.scandir('tree'))
found = sorted(glob.glob('**/*.txt', root_dir='tree', recursive=True))
shutil.rmtree('tree'); shutil.rmtree('moved')
os.replace('top2', 'top3')
with tempfile.NamedTemporaryFile('w+', suffix='.txt') as t:
    t.write('temporary'); t.flush()
    named = [os.path.dirname(t.name), open(t.name).read()]
with tempfile.TemporaryDirectory() as d: pathlib.Path(d, 'x').touch()
with tempfile.TemporaryFile() as t: t.write(b'1')
[same, walked, scanned, found, os.listdir(), named, os.listdir('/tmp')]";
        let expected = json!([
            true,
            [["tree", ["sub"], 1], ["tree/sub", [], 5]],
            [["sub", true, 0, true], ["top", false, 100_000, true]],
            ["sub/0.txt", "sub/1.txt", "sub/2.txt", "sub/3.txt", "sub/4.txt"],
            ["top3"],
            ["/tmp", "temporary"],
            []
        ]);
        session.check(code, &expected);
    });
}

#[test]
fn formats_and_databases_are_written_and_read() {
    fresh(|session| {
        let code = "
import csv, gzip, zipfile, tarfile, pickle
with open('t.csv', 'w', newline='') as f: csv.writer(f).writerows([[1, 'a,b'], [2, 'c']])
rows = list(csv.reader(open('t.csv', newline='')))
with gzip.open('g.gz', 'wt') as f: f.write('compressed' * 1000)
assert gzip.open('g.gz', 'rt').read() == 'compressed' * 1000
with zipfile.ZipFile('z.zip', 'w', zipfile.ZIP_DEFLATED) as z:
    z.write('t.csv'); z.writestr('in/side', 'x' * 1000)
with zipfile.ZipFile('z.zip', 'a') as z: z.writestr('more', 'y')
zipfile.ZipFile('z.zip').extractall('out')
with tarfile.open('t.tar.gz', 'w:gz') as t: t.add('out')
with tarfile.open('t.tar.gz') as t: t.extractall('untar', filter='data')
pickle.dump({'a': [1, 2]}, open('p.pickle', 'wb'))
[rows, open('untar/out/in/side').read() == 'x' * 1000, zipfile.ZipFile('z.zip').namelist(),
 pickle.load(open('p.pickle', 'rb'))]";
        let rows = [["1", "a,b"], ["2", "c"]];
        session.check(code, &json!([rows, true, ["t.csv", "in/side", "more"], {"a": [1, 2]}]));
        let code = "
import sqlite3
db = sqlite3.connect('/tmp/data.db')
db.execute('create table t(a integer primary key, b text)')
with db: db.executemany('insert into t(b) values (?)', [(str(i),) for i in range(5000)])
try:
    with db:
        db.execute('delete from t'); raise RuntimeError
except RuntimeError: pass
db.execute('vacuum'); db.close()
other = sqlite3.connect('file:/tmp/data.db?mode=ro', uri=True)
[other.execute('select count(*), max(a) from t').fetchone(), os.listdir('/tmp'),
 other.execute('pragma integrity_check').fetchone()[0]]";
        session.check(code, &json!([[5000, 5000], ["data.db"], "ok"]));
    });
}

#[test]
fn what_is_open_stays_when_its_name_goes() {
    fresh(|session| {
        let code = "
f = open('a', 'w+'); f.write('one'); f.flush()
os.rename('a', 'b'); f.write(' two'); f.flush()
renamed = open('b').read()
os.unlink('b'); f.write(' three'); f.seek(0)
gone = [f.read(), os.listdir(), os.fstat(f.fileno()).st_size]
fd = os.dup(f.fileno()); f.close()
os.lseek(fd, 0, 0); kept = os.read(fd, 100).decode(); os.close(fd)
[renamed, gone, kept]";
        let gone = json!(["one two three", [], 13]);
        session.check(code, &json!(["one two", gone, "one two three"]));
        let code = "
fd = os.open('x', os.O_RDWR | os.O_CREAT); os.dup2(fd, 40); os.write(fd, b'12'); os.write(40, b'34')
os.close(fd); position = os.lseek(40, 0, os.SEEK_CUR); os.close(40)
[open('x').read(), position]";
        session.check(code, &json!(["1234", 4]));
        session.check_refused("os.close(40)", "OSError EBADF");
        assert_eq!(session.files.snapshot().open_descriptors(), 0);
        let code = "
one, two = open('log', 'a'), open('log', 'a')
for i in range(3): print(i, file=one, flush=True); print('-', file=two, flush=True)
open('log').read()";
        session.check(code, &json!("0\n-\n1\n-\n2\n-\n"));
        for (code, error) in [
            ("os.makedirs('p/q'); os.rename('p', 'p/q/r')", "OSError EINVAL"),
            ("os.rename('p', 'x')", "NotADirectoryError ENOTDIR"),
            ("os.rename('x', 'p')", "IsADirectoryError EISDIR"),
            ("os.mkdir('e'); os.rename('e', 'p')", "OSError ENOTEMPTY"),
            ("os.rename('p', 'e')", "went well"),
            ("os.rmdir('e')", "OSError ENOTEMPTY"),
            ("os.rename('none', 'y')", "FileNotFoundError ENOENT"),
        ] {
            session.check_refused(code, error);
        }
    });
}

#[test]
fn folders_are_listed_while_they_change() {
    fresh(|session| {
        let code = "
for i in range(3000): open(f'{i}.ünï', 'w').close()
fd = os.open('.', os.O_RDONLY)
first = sorted(os.listdir(fd)); os.unlink('0.ünï'); os.mkdir('d')
again = sorted(os.listdir(fd)); os.close(fd)
with os.scandir() as seen: kinds = {e.name: e.is_dir(follow_symlinks=False) for e in seen}
[len(first), first[0], len(again), again[0], len(kinds), kinds['d'], kinds['1.ünï']]";
        session.check(code, &json!([3000, "0.ünï", 3000, "1.ünï", 3000, true, false]));
        let code = "
import shutil
for name in os.listdir(): shutil.rmtree(name) if name == 'd' else os.unlink(name)
os.makedirs('a/b/c'); open('a/b/c/d', 'w').close()
fd = os.open('a', os.O_RDONLY)
seen = os.listdir(fd), os.stat('b/c/d', dir_fd=fd).st_size
os.rename('b', 'B', src_dir_fd=fd, dst_dir_fd=fd); os.mkdir('e', dir_fd=fd); os.close(fd)
[seen, sorted(os.listdir('a')), list(os.walk('a/B'))]";
        let walked = json!([["a/B", ["c"], []], ["a/B/c", [], ["d"]]]);
        session.check(code, &json!([[["b"], 0], ["B", "e"], walked]));
    });
}

#[test]
fn times_and_numbers_of_files_are_told_exactly() {
    fresh(|session| {
        let code = "
import time, stat
before = time.time(); open('a', 'w').write('12345'); s = os.stat('a')
os.utime('a', (1000, 2000.5)); t = os.stat('a')
fd = os.open('a', os.O_RDONLY); same = os.path.samestat(os.fstat(fd), t); os.close(fd)
[before - 1 < s.st_mtime <= time.time() + 1, s.st_mtime_ns % 1000, s.st_size, stat.S_ISREG(s.st_mode),
 t.st_atime, t.st_mtime, same, s.st_nlink, s.st_uid, s.st_gid, stat.S_ISDIR(os.stat('/').st_mode)]";
        let expected = json!([true, 0, 5, true, 1000.0, 2000.5, true, 1, 0, 0, true]);
        session.check(code, &expected);
        let code = "
os.utime('a', ns=(1_700_000_000_123_456_000, 1_700_000_000_987_654_000))
with open('a') as f:
    path = os.stat('a')
    os.utime(f.fileno(), ns=(5, 1_700_000_000_987_654_321))
    opened, later = os.fstat(f.fileno()), os.lstat('a')
os.rename('a', 'b'); os.chmod('b', 0o600); moved = os.stat('b')
[path.st_atime_ns, path.st_mtime_ns, opened.st_atime_ns, opened.st_mtime_ns, later.st_mtime_ns,
 moved.st_mtime_ns, oct(moved.st_mode), moved.st_ino == path.st_ino]";
        let expected = json!([
            1_700_000_000_123_456_000_i64,
            1_700_000_000_987_654_000_i64,
            5,
            1_700_000_000_987_654_321_i64,
            1_700_000_000_987_654_321_i64,
            1_700_000_000_987_654_321_i64,
            "0o100644",
            true
        ]);
        session.check(code, &expected);
        session.check_refused("os.utime('none')", "FileNotFoundError ENOENT");
        session.check_refused("os.chmod('none', 0)", "FileNotFoundError ENOENT");
        session.check("os.utime('b'); abs(os.stat('b').st_mtime - time.time()) < 60", &json!(true));
    });
}

#[test]
fn files_are_mapped_into_memory() {
    fresh(|session| {
        let code = "
import mmap
open('m', 'wb').write(b'0123456789' * 1000)
with open('m', 'r+b') as f:
    with mmap.mmap(f.fileno(), 0) as shared:
        shared[3:5] = b'ab'; shared.flush(); size = len(shared)
    with mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_COPY) as copy: copy[0:3] = b'xyz'
    with mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as read: tail = read[-3:].decode()
[open('m', 'rb').read(10).decode(), size, tail, os.path.getsize('m')]";
        session.check(code, &json!(["012ab56789", 10_000, "789", 10_000]));
        let code = "with open('m', 'rb') as f: mmap.mmap(f.fileno(), 0)";
        session.check_refused(code, "PermissionError EACCES");
    });
}
