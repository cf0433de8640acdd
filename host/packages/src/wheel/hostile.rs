//! Wheels that somebody made to do harm, byte by byte, and what becomes of them.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::testing::TestWheel;
use super::{Native, Unpacked, pack, pure_name, unpack};
use crate::PackagesError;
use crate::digest::Digest;
use crate::folder::walk;
use crate::name::WheelName;
use crate::resolver::Fetched;

type TestResult = Result<(), Box<dyn std::error::Error>>;

/// A member of a handmade archive: what its two headers say, and what is there.
#[derive(Clone)]
struct Member {
    name: Vec<u8>,
    data: Vec<u8>,
    mode: u32,
    flags: u16,
    method: u16,
    /// What both headers say of the sizes, compressed and not.
    sizes: Option<(u32, u32)>,
    /// The name in the header before the data, if it is another.
    local_name: Option<Vec<u8>>,
    /// Whose data the directory says that this is, if not its own.
    at: Option<usize>,
}

impl Member {
    fn new(name: &str, data: &[u8]) -> Self {
        Self {
            name: name.into(),
            data: data.to_owned(),
            mode: 0o100_644,
            flags: 0x800,
            method: 0,
            sizes: None,
            local_name: None,
            at: None,
        }
    }

    /// The fields that both headers have, from the flags to the length of the name.
    fn fields(&self, name: &[u8]) -> Vec<u8> {
        let size = u32::try_from(self.data.len()).unwrap_or(u32::MAX);
        let (compressed, plain) = self.sizes.unwrap_or((size, size));
        let mut crc = crc32(&self.data);
        if self.sizes.is_some() {
            crc = 0;
        }
        let mut fields = Vec::new();
        fields.extend(self.flags.to_le_bytes());
        fields.extend(self.method.to_le_bytes());
        fields.extend([0, 0, 0x21, 0]); // midnight of the first day of 1980
        for number in [crc, compressed, plain] {
            fields.extend(number.to_le_bytes());
        }
        fields.extend(u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
        fields.extend([0, 0]);
        fields
    }
}

fn crc32(data: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
    let table: Vec<u32> =
        (0..=u32::from(u8::MAX)).map(|byte| (0..8).fold(byte, |crc, _| step(crc))).collect();
    !data
        .iter()
        .fold(u32::MAX, |crc, byte| crc >> 8 ^ table[usize::from(crc.to_le_bytes()[0] ^ *byte)])
}

fn archive(members: &[Member]) -> Vec<u8> {
    let (mut bytes, mut starts) = (Vec::new(), Vec::new());
    for member in members {
        starts.push(u32::try_from(bytes.len()).unwrap_or_default());
        let name = member.local_name.as_ref().unwrap_or(&member.name);
        bytes.extend(b"PK\x03\x04\x14\0");
        bytes.extend(member.fields(name));
        bytes.extend(name);
        bytes.extend(&member.data);
    }
    let start = bytes.len();
    for (index, member) in members.iter().enumerate() {
        bytes.extend(b"PK\x01\x02\x14\x03\x14\0");
        bytes.extend(member.fields(&member.name));
        bytes.extend([0; 6]);
        bytes.extend((member.mode << 16).to_le_bytes());
        bytes.extend(starts[member.at.unwrap_or(index)].to_le_bytes());
        bytes.extend(&member.name);
    }
    let size = bytes.len() - start;
    bytes.extend(end(members.len(), size, start));
    bytes
}

fn end(entries: usize, size: usize, start: usize) -> Vec<u8> {
    let mut end = b"PK\x05\x06\0\0\0\0".to_vec();
    for _ in 0..2 {
        end.extend(u16::try_from(entries).unwrap_or(u16::MAX).to_le_bytes());
    }
    for number in [size, start] {
        end.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
    }
    end.extend([0, 0]);
    end
}

/// A wheel `x-1` with these files, as members.
fn members(files: &[(&str, &[u8])]) -> Vec<Member> {
    let wheel =
        files.iter().fold(TestWheel::new("x", "1"), |wheel, (path, data)| wheel.file(path, data));
    wheel.members().iter().map(|(path, data)| Member::new(path, data)).collect()
}

/// Unpacks an archive as the wheel `x-1` and gives what is on the disk then.
fn unpacked(bytes: &[u8], native: Native) -> Result<(Unpacked, Vec<String>), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let path = folder.path().join("x-1-py3-none-any.whl");
    fs::write(&path, bytes).map_err(|error| error.to_string())?;
    let inside = folder.path().join("files");
    let unpacked = unpack_file(&path, native, &inside).map_err(|error| error.to_string())?;
    let found = walk(&inside).map_err(|error| error.to_string())?;
    let mut found: Vec<String> =
        found.into_iter().map(|(path, _)| path.to_string_lossy().into_owned()).collect();
    found.sort();
    let outside = fs::read_dir(folder.path()).map_err(|error| error.to_string())?.count();
    assert_eq!(outside, 2, "something was written outside");
    Ok((unpacked, found))
}

fn unpack_file(path: &Path, native: Native, into: &Path) -> Result<Unpacked, PackagesError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = WheelName::parse(&name)
        .ok_or_else(|| PackagesError::cache("name a wheel")(io::ErrorKind::InvalidInput.into()))?;
    unpack(&Fetched::Wheel(path.to_owned()), &name, native, into)
}

fn refusal(members: &[Member]) -> String {
    let result = unpacked(&archive(members), Native::Refuse);
    assert!(result.is_err(), "it was taken: {result:?}");
    result.err().unwrap_or_default()
}

const INFO: [&str; 3] = ["x-1.dist-info/METADATA", "x-1.dist-info/RECORD", "x-1.dist-info/WHEEL"];

#[test]
fn a_plain_wheel_becomes_its_files() -> TestResult {
    let archive = archive(&members(&[("x/__init__.py", b"1"), ("x/data.txt", b"2")]));
    let (unpacked, files) = unpacked(&archive, Native::Refuse)?;
    assert_eq!(files, [&INFO[..], &["x/__init__.py", "x/data.txt"]].concat());
    assert_eq!((unpacked.name.as_str(), unpacked.version.as_str()), ("x", "1"));
    assert_eq!(unpacked.files.keys().collect::<Vec<_>>(), files.iter().collect::<Vec<_>>());
    Ok(())
}

#[test]
fn what_the_sandbox_has_no_use_for_is_left_out() -> TestResult {
    let archive = archive(&members(&[
        ("evil.pth", b"import os; os.system('id')"),
        ("x/__pycache__/y.cpython-313.pyc", b"?"),
        ("x-1.data/scripts/x", b"#!python"),
        ("x-1.data/data/etc/cron.d/x", b"?"),
        ("x-1.data/purelib/x/y.py", b"1"),
        ("x-1.dist-info/INSTALLER", b"?"),
    ]));
    let (_, files) = unpacked(&archive, Native::Refuse)?;
    assert_eq!(files, [&INFO[..], &["x/y.py"]].concat());
    Ok(())
}

#[test]
fn members_that_lead_outside_are_refused() {
    for name in ["../x", "/etc/x", "a/../../x", "a\\..\\..\\x", "C:/x", "a//b", "./a", "a\0b"] {
        let mut members = members(&[("x.py", b"1")]);
        members.push(Member::new(name, b"1"));
        let message = refusal(&members);
        assert!(message.contains("is no path inside it") || message.contains("zip"), "{message}");
    }
}

#[test]
fn members_that_are_no_files_are_refused() {
    for (mode, name) in [
        (0o120_777, "link"),
        (0o020_666, "device"),
        (0o010_666, "pipe"),
        (0o140_666, "socket"),
        (0o040_755, "folder"),
    ] {
        let mut members = members(&[("x.py", b"1")]);
        members.push(Member { mode, ..Member::new(name, b"/etc/passwd") });
        let message = refusal(&members);
        assert!(message.contains("its member"), "{message}");
    }
    let mut members = members(&[]);
    members.push(Member { mode: 0o040_755, ..Member::new("folder/", b"content") });
    assert!(refusal(&members).contains("a folder with content"));
}

#[test]
fn two_members_for_one_file_are_refused() {
    let mut twice = members(&[("x.py", b"1")]);
    twice.push(Member::new("x.py", b"2"));
    assert!(refusal(&twice).contains("duplicate"));
    let data = members(&[("x.py", b"1"), ("x-1.data/purelib/x.py", b"1")]);
    assert!(refusal(&data).contains("two of its members are \"x.py\""));
    for files in [[("x", b"1"), ("x/y.py", b"1")], [("x/y.py", b"1"), ("x", b"1")]] {
        let files = files.map(|(name, data)| (name, &data[..]));
        assert!(refusal(&members(&files)).contains("two of its members are"));
    }
}

#[test]
fn members_that_share_bytes_are_refused() {
    let mut members = members(&[("x.py", b"1"), ("y.py", b"1")]);
    members[1].at = Some(0);
    members[1].local_name = None;
    assert!(refusal(&members).contains("zip"));
}

#[test]
fn an_archive_that_says_two_things_is_refused() {
    let mut renamed = members(&[("x.py", b"1")]);
    renamed[0].local_name = Some(b"y.py".to_vec());
    assert!(refusal(&renamed).contains("header inconsistency"));
    // A member that only readers of streams see.
    let all = members(&[("x.py", b"1")]);
    let mut hidden = archive(&[Member::new("evil.py", b"1")]);
    hidden.truncate(hidden.len() - 22 - 46 - "evil.py".len());
    let plain = archive(&all);
    assert!(unpacked(&[hidden, plain].concat(), Native::Refuse).is_err());
}

#[test]
fn of_two_directories_none_is_chosen() {
    let inner = archive(&members(&[("x.py", b"1")]));
    // The last record says something of a directory that does not reach up to it.
    for last in [end(1, 46, 0), end(0, 0, 0), end(60_000, 46, 0)] {
        assert!(unpacked(&[inner.clone(), last].concat(), Native::Refuse).is_err());
    }
    assert!(unpacked(&[inner.clone(), b"trailing".to_vec()].concat(), Native::Refuse).is_err());
    assert!(unpacked(&[b"leading".to_vec(), inner].concat(), Native::Refuse).is_err());
}

#[test]
fn encrypted_members_and_strange_compression_are_refused() {
    let mut encrypted = members(&[("x.py", b"1")]);
    encrypted[0].flags |= 1;
    assert!(refusal(&encrypted).contains("encrypted"));
    for method in [1, 9, 12, 14, 93, 99, 0xffff] {
        let mut strange = members(&[("x.py", b"1")]);
        strange[0].method = method;
        refusal(&strange);
    }
}

#[test]
fn a_name_that_is_no_text_is_refused() {
    let mut members = members(&[("x.py", b"1")]);
    members[0].name = b"\xff.py".to_vec();
    refusal(&members);
}

#[test]
fn too_many_members_are_refused_before_they_are_read() {
    let many = vec![Member::new("x", b""); 20_001];
    let message = refusal(&many);
    assert!(message.contains("more than 20000 members"), "{message}");
    // More than the archive could hold.
    let mut bytes = archive(&members(&[("x.py", b"1")]));
    let at = bytes.len() - 14;
    bytes[at..at + 4].copy_from_slice(&[0xff; 4]);
    assert!(unpacked(&bytes, Native::Refuse).is_err());
}

/// A deflate stream of that many zeros, and its size.
fn bomb(bytes: usize) -> io::Result<Vec<u8>> {
    use std::io::Write as _;
    use zip::write::SimpleFileOptions;
    let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    zip.start_file("x", SimpleFileOptions::default())?;
    let zeros = vec![0; 1 << 20];
    for _ in 0..bytes >> 20 {
        zip.write_all(&zeros)?;
    }
    let bytes = zip.finish()?.into_inner();
    let end = bytes.len() - 22 - 46 - 1;
    Ok(bytes[31..end].to_vec())
}

#[test]
fn a_bomb_is_refused_whatever_it_says_of_itself() -> TestResult {
    let data = bomb(80 << 20)?;
    let compressed = u32::try_from(data.len())?;
    for (says, reason) in [(80_u32 << 20, "far more than its size"), (1000, "")] {
        let mut members = members(&[("x.py", b"1")]);
        members[0] = Member {
            data: data.clone(),
            method: 8,
            sizes: Some((compressed, says)),
            ..Member::new("x.py", b"")
        };
        let message = refusal(&members);
        assert!(message.contains(reason), "{message}");
    }
    Ok(())
}

#[test]
fn a_file_that_is_too_large_is_refused() {
    let large = vec![b'#'; (64 << 20) + 1];
    let message = refusal(&members(&[("x.py", &large)]));
    assert!(message.contains("\"x.py\" has more than 64 MiB"), "{message}");
}

#[test]
fn a_record_that_does_not_fit_is_refused() {
    let mut changed = members(&[("x.py", b"1")]);
    changed[0].data = b"2".to_vec();
    assert!(refusal(&changed).contains("\"x.py\" is not what its RECORD says"));
    let mut more = members(&[("x.py", b"1")]);
    more.push(Member::new("y.py", b"1"));
    assert!(refusal(&more).contains("no hash of \"y.py\""));
    let mut none = members(&[("x.py", b"1")]);
    none.retain(|member| !member.name.ends_with(b"RECORD"));
    assert!(refusal(&none).contains("it has no RECORD of x"));
    let mut two = members(&[("x.py", b"1")]);
    two.push(Member::new("x-2.dist-info/RECORD", b""));
    assert!(refusal(&two).contains("two RECORD files"));
    let huge = vec![b'\n'; 17 << 20];
    let mut flood = members(&[]);
    flood.retain(|member| !member.name.ends_with(b"RECORD"));
    flood.push(Member::new("x-1.dist-info/RECORD", &huge));
    assert!(refusal(&flood).contains("RECORD is too long"));
}

#[test]
fn a_wheel_of_another_name_is_refused() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = TestWheel::new("y", "1").file("y.py", "1").write(folder.path())?;
    let other = folder.path().join("x-1-py3-none-any.whl");
    fs::rename(path, &other)?;
    let error = unpack_file(&other, Native::Refuse, &folder.path().join("files"));
    assert!(error.is_err_and(|error| error.to_string().contains("no RECORD of x")));
    Ok(())
}

#[test]
fn of_two_names_in_metadata_the_first_counts() -> TestResult {
    let folder = tempfile::tempdir()?;
    let wheel = TestWheel::new("x", "1").metadata("Name: y").metadata("Version: 2");
    let unpacked =
        unpack_file(&wheel.write(folder.path())?, Native::Refuse, &folder.path().join("files"))?;
    assert_eq!((unpacked.name.as_str(), unpacked.version.as_str()), ("x", "1"));
    Ok(())
}

#[test]
fn native_libraries_are_refused_or_left_out() -> TestResult {
    let archive = archive(&members(&[
        ("x/__init__.py", b"1"),
        ("x/_speedups.cpython-313-x86_64-linux-gnu.so", b"\x7fELF"),
        ("x.libs/libz.so.1", b"\x7fELF"),
    ]));
    let message = unpacked(&archive, Native::Refuse).err();
    assert!(message.is_some_and(|message| message.contains("it has a native library")));
    let (_, files) = unpacked(&archive, Native::Drop)?;
    assert_eq!(files, [&INFO[..], &["x/__init__.py"]].concat());
    Ok(())
}

#[test]
fn libraries_stay_where_they_are_webassembly() -> TestResult {
    let wasm = b"\0asm\x01\0\0\0";
    let good: [(&str, &[u8]); 5] = [
        ("x/__init__.py", b"1"),
        ("x/_c.cpython-314-wasm32-emscripten.so", wasm),
        ("x-1.data/platlib/x/_d.abi3.so", wasm),
        ("x.libs/libz.so.1", wasm),
        ("x/_c.pyd", b"MZ"),
    ];
    let mut members = members(&good);
    for member in &mut members {
        member.mode |= 0o111;
    }
    let (_, files) = unpacked(&archive(&members), Native::Keep)?;
    let kept = ["x/__init__.py", "x/_c.cpython-314-wasm32-emscripten.so", "x/_d.abi3.so"];
    assert_eq!(
        files,
        [&["x-1.dist-info/METADATA"], &INFO[1..], &["x.libs/libz.so.1"], &kept].concat()
    );
    Ok(())
}

#[test]
fn libraries_of_other_systems_are_refused_where_libraries_stay() {
    for content in [&b"\x7fELF\x01\x01"[..], b"", b"\0as", b"INPUT(libx.so)", b"\xfe\xed\xfa\xcf"] {
        let members = members(&[("x/_c.cpython-314-wasm32-emscripten.so", content)]);
        let message = unpacked(&archive(&members), Native::Keep).err().unwrap_or_default();
        assert!(message.ends_with("emscripten.so\" is no WebAssembly"), "{message}");
    }
}

#[test]
fn a_library_is_no_way_out_of_the_bounds_of_a_wheel() {
    let wasm = b"\0asm";
    for name in ["../x.so", "/etc/x.so", "x/../../x.so"] {
        let mut members = members(&[("x.py", b"1")]);
        members.push(Member::new(name, wasm));
        let result = unpacked(&archive(&members), Native::Keep);
        assert!(result.is_err(), "{name}: {result:?}");
    }
    let mut link = members(&[("x/y.so", wasm)]);
    link[0].mode = 0o120_777;
    assert!(unpacked(&archive(&link), Native::Keep).is_err());
    let mut changed = members(&[("x/y.so", wasm)]);
    changed[0].data.push(0);
    let message = unpacked(&archive(&changed), Native::Keep).err().unwrap_or_default();
    assert!(message.contains("is not what its RECORD says"), "{message}");
    let large = [&wasm[..], &vec![0; 64 << 20]].concat();
    let message = unpacked(&archive(&members(&[("x/y.so", &large)])), Native::Keep).err();
    assert!(message.is_some_and(|message| message.contains("has more than 64 MiB")));
}

#[test]
fn what_was_made_pure_is_a_wheel_and_the_same_each_time() -> TestResult {
    let folder = tempfile::tempdir()?;
    let native = TestWheel::new("x-y", "1.0")
        .tag("cp313-cp313-manylinux2014_x86_64")
        .file("x_y/__init__.py", "1")
        .file("x_y/_fast.so", "\x7fELF")
        .write(folder.path())?;
    let mut digests = Vec::new();
    for attempt in ["a", "b"] {
        let files = folder.path().join(attempt);
        let first = unpack_file(&native, Native::Drop, &files)?;
        assert_eq!(pure_name(&first), "x_y-1.0-py3-none-any.whl");
        let wheel = folder.path().join(format!("{attempt}.d")).join(pure_name(&first));
        pack(&first, &files, &wheel)?;
        let again =
            unpack_file(&wheel, Native::Refuse, &folder.path().join(format!("{attempt}.f")))?;
        assert_eq!(again, first);
        digests.push(Digest::of_reader(&mut fs::File::open(&wheel)?)?);
    }
    assert_eq!(digests[0], digests[1]);
    let tag = fs::read_to_string(folder.path().join("a/x_y-1.0.dist-info/WHEEL"))?;
    assert!(tag.contains("Tag: py3-none-any"), "{tag}");
    Ok(())
}

#[test]
fn whatever_is_changed_in_a_wheel_nothing_gets_outside() {
    let archive = archive(&members(&[("x/__init__.py", b"1"), ("x/y.py", b"22")]));
    for at in 0..archive.len() {
        let mut changed = archive.clone();
        changed[at] = [0, 1, b'.', b'/', 0xff][at % 5];
        // Taken or refused: `unpacked` looks for what is outside, and nothing may panic.
        drop(unpacked(&changed, Native::Refuse));
    }
}

/// The wheel `x-1` as `uv` would have installed it.
fn installed(folder: &Path) -> io::Result<()> {
    let members = TestWheel::new("x", "1").file("x/__init__.py", "1").file("x/y.py", "2").members();
    for (path, data) in members {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, data)?;
    }
    let record = folder.join("x-1.dist-info/RECORD");
    let text = fs::read_to_string(&record)? + "../../../bin/x,sha256=AAAA,1\n";
    fs::write(record, text)
}

fn unpack_installed(folder: &Path) -> Result<Unpacked, PackagesError> {
    let wheel = WheelName::parse("x-1-py3-none-any.whl")
        .ok_or_else(|| PackagesError::cache("name a wheel")(io::ErrorKind::InvalidInput.into()))?;
    unpack(&Fetched::Installed(folder.to_owned()), &wheel, Native::Refuse, &folder.join("../files"))
}

#[test]
fn what_was_installed_gives_the_same_files_as_its_wheel() -> TestResult {
    let folder = tempfile::tempdir()?;
    let site = folder.path().join("site");
    installed(&site)?;
    fs::write(site.join("stray.py"), "of another wheel")?;
    let archive = archive(&members(&[("x/__init__.py", b"1"), ("x/y.py", b"2")]));
    let (from_wheel, _) = unpacked(&archive, Native::Refuse)?;
    assert_eq!(unpack_installed(&site)?, from_wheel);
    Ok(())
}

#[test]
fn of_what_was_installed_links_and_changes_are_refused() -> TestResult {
    for change in ["link", "content", "missing"] {
        let folder = tempfile::tempdir()?;
        let site = folder.path().join("site");
        installed(&site)?;
        let file = site.join("x/y.py");
        fs::remove_file(&file)?;
        match change {
            "link" => {
                fs::write(folder.path().join("secret"), "2")?;
                symlink(folder.path().join("secret"), &file)?;
            }
            "content" => fs::write(&file, "3")?,
            _ => {}
        }
        assert!(unpack_installed(&site).is_err(), "{change}");
    }
    Ok(())
}
