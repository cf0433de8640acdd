//! `image build`, `image info`, `run --image`. Making an image takes tens of seconds, so that one is
//! made and all questions are asked about it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::TestResult;
use crate::testing::TestWheel;
use crate::world::World;

/// What a package may do while it is imported, and what of that must not be in all sessions.
const TINY: &str = "
import os, random, sys, uuid
VALUE = 42
RANDOM, SEEDED = random.Random(), random.Random(7)
NODE = uuid.getnode()
os.makedirs('/work/cache', exist_ok=True)
os.chdir('/work/cache')
try:
    import not_there_at_that_time
except ImportError:
    pass
";

const LOOK: &str = "
import sys
before = sorted(name for name in sys.modules if name.startswith('tiny'))
import os, random, tiny, uuid
from importlib.resources import files
open('not_there_at_that_time.py', 'w').write('x = 5')
import not_there_at_that_time, tiny.later
{
    'imported': before,
    'value': tiny.VALUE,
    'cwd': os.getcwd(),
    'work': sorted(os.listdir('/work')),
    'mine': not_there_at_that_time.x,
    'later': tiny.later.x,
    'data': files('tiny').joinpath('data.txt').read_text(),
    'random': [random.random(), tiny.RANDOM.random(), str(uuid.uuid4()), uuid.getnode()],
    'seeded': tiny.SEEDED.random(),
    'runs': __import__('traceback').extract_stack()[-1].filename,
}";

struct Built {
    world: World,
    described: Value,
}

impl Built {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let world = World::new()?;
        let wheel = TestWheel::new("tiny", "1.2")
            .file("tiny/__init__.py", TINY)
            .file("tiny/later.py", "x = 6")
            .file("tiny/data.txt", "data")
            .file("tiny_broken.py", "import there_is_no_such_module");
        world.add(&wheel)?;
        let build = world.pcm(&[
            "image", "build", "--dep", "tiny", "--import", "sqlite3", "-o", "img", "--json",
        ])?;
        assert_eq!(build.code, Some(0), "{}", build.stderr);
        assert!(build.stderr.contains(" s  compile\n"), "{}", build.stderr);
        Ok(Self { described: build.json()?, world })
    }

    fn run(&self, arguments: &[&str]) -> Result<crate::command::Ended, std::io::Error> {
        self.world.pcm(&[&["run", "--image"], arguments].concat())
    }

    fn value(&self, arguments: &[&str]) -> Result<Value, Box<dyn std::error::Error>> {
        let run = self.run(&[arguments, &["--json"]].concat())?;
        assert_eq!(run.code, Some(0), "{arguments:?}: {}{}", run.stdout, run.stderr);
        Ok(run.json()?["value"].take())
    }

    /// The image with other bytes is refused, for that reason.
    fn refuses(&self, bytes: &[u8], reason: &str) -> TestResult {
        fs::write(self.world.path("other"), bytes)?;
        let run = self.run(&["other", "-c", "print('ran')"])?;
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{reason}");
        assert!(run.stderr.contains(reason), "{reason}: {}", run.stderr);
        let info = self.world.pcm(&["image", "info", "other", "--json"])?;
        match info.code {
            Some(1) => {
                assert!(info.json()?["problem"].as_str().is_some_and(|it| it.contains(reason)));
            }
            code => assert_eq!((code, info.stdout.as_str()), (Some(2), "")),
        }
        Ok(())
    }
}

#[test]
fn heavy_an_image_is_what_its_session_was() -> TestResult {
    let built = Built::new()?;
    is_described(&built)?;
    sessions_begin_with_what_was_imported(&built)?;
    fuel_is_counted_in_it_too(&built)?;
    saved_sessions_belong_to_one_image(&built)?;
    memory_must_suffice(&built)?;
    changed_ones_are_refused(&built)?;
    other_versions_are_refused_though_signed(&built)?;
    another_key_is_no_key(&built)?;
    Ok(())
}

fn is_described(built: &Built) -> TestResult {
    let Value::Object(described) = &built.described else { return Err("no object".into()) };
    assert_eq!(described["distributions"], json!([{"name": "tiny", "version": "1.2"}]));
    assert_eq!(described["modules"], json!(["sqlite3", "tiny"]));
    let reason = "ModuleNotFoundError: No module named 'there_is_no_such_module'";
    assert_eq!(described["not_imported"], json!({ "tiny_broken": reason }));
    let info = built.world.pcm(&["image", "info", "img", "--json"])?;
    assert_eq!(info.code, Some(0), "{}", info.stderr);
    let info = info.json()?;
    for name in ["distributions", "modules", "file_bytes"] {
        assert_eq!(info[name], described[name], "{name}");
    }
    assert_eq!(info["problem"], Value::Null);
    let info = built.world.pcm(&["image", "info", "img"])?;
    assert!(info.stdout.contains("\nverified: ") && info.stdout.contains("\npackages: tiny 1.2\n"));
    Ok(())
}

fn sessions_begin_with_what_was_imported(built: &Built) -> TestResult {
    let mut drawn = Vec::new();
    for _ in 0..2 {
        let mut value = built.value(&["img", "-c", LOOK])?;
        drawn.push(value["random"].take());
        let expected = json!({
            "imported": ["tiny"],
            "value": 42,
            "cwd": "/work",
            "work": ["not_there_at_that_time.py"],
            "mine": 5,
            "later": 6,
            "data": "data",
            "random": null,
            "seeded": 0.323_832_764_833_162_37,
            "runs": "<run 1>",
        });
        assert_eq!(value, expected);
    }
    for (one, other) in
        drawn[0].as_array().into_iter().flatten().zip(drawn[1].as_array().into_iter().flatten())
    {
        assert_ne!(one, other);
    }
    Ok(())
}

fn fuel_is_counted_in_it_too(built: &Built) -> TestResult {
    let code = "import sys; 'tiny' in sys.modules";
    assert_eq!(built.value(&["img", "--fuel", "1G", "-c", code])?, true);
    let run =
        |_| built.value(&["img", "--deterministic", "-c", "import tiny; tiny.RANDOM.random()"]);
    let [one, two] = [1, 2].map(run);
    assert_eq!(one?, two?);
    Ok(())
}

fn saved_sessions_belong_to_one_image(built: &Built) -> TestResult {
    built.value(&["img", "-c", "import tiny; mine = tiny.VALUE", "--save", "state"])?;
    assert_eq!(built.value(&["img", "--load", "state", "-c", "tiny.VALUE + mine"])?, 84);
    let bare = built.world.pcm(&["run", "--load", "state", "-c", "1"])?;
    assert_eq!(bare.code, Some(2));
    assert!(bare.stderr.contains("another Python image"), "{}", bare.stderr);
    Ok(())
}

fn memory_must_suffice(built: &Built) -> TestResult {
    let run = built.run(&["img", "--memory", "1MiB", "-c", "1"])?;
    assert_eq!(run.code, Some(3));
    assert!(run.stderr.contains("that sessions of this image start with"), "{}", run.stderr);
    Ok(())
}

fn changed_ones_are_refused(built: &Built) -> TestResult {
    let image = fs::read(built.world.path("img"))?;
    let length = image.len();
    let description = u32::from_le_bytes(image[48..52].try_into()?) as usize;
    let places = [
        (0, "it is not an image"),
        (12, "version 0 of the format"),
        (16, "its signature is wrong"),
        (48, "its signature is wrong"),
        (52 + description / 2, "its signature is wrong"),
        (52 + description + 1000, "its signature is wrong"),
        (length / 2, "its signature is wrong"),
        (length - 10, "its signature is wrong"),
    ];
    for (at, reason) in places {
        let mut changed = image.clone();
        changed[at] ^= 1;
        built.refuses(&changed, reason)?;
    }
    built.refuses(&image[..length - 1], "its signature is wrong")?;
    built.refuses(&image[..20], "it is not an image")?;
    built.refuses(b"", "it is not an image")?;
    built.refuses(&[&image[..], b"x"].concat(), "its signature is wrong")
}

/// Whoever has the key can still not make this program run what it would misunderstand.
fn other_versions_are_refused_though_signed(built: &Built) -> TestResult {
    let mut image = fs::read(built.world.path("img"))?;
    let version = b"\"wasmtime\":\"";
    let at = image.windows(version.len()).position(|part| part == version).ok_or("no version")?;
    image[at + version.len()] = b'9';
    let key = key(&built.world.path("data/pcm-sandbox/image.key"))?;
    let mut hasher = blake3::Hasher::new_keyed(&key);
    let signature = hasher.update(&image[..16]).update(&image[48..]).finalize();
    image[16..48].copy_from_slice(signature.as_bytes());
    built.refuses(&image, "it was compiled by wasmtime 9")
}

fn another_key_is_no_key(built: &Built) -> TestResult {
    let refused = built.run(&["img", "--image-key", "none.key", "-c", "1"])?;
    assert_eq!(refused.code, Some(2));
    fs::write(built.world.path("other.key"), "0".repeat(64))?;
    let mut permissions = fs::metadata(built.world.path("other.key"))?.permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
    fs::set_permissions(built.world.path("other.key"), permissions)?;
    let refused = built.run(&["img", "--image-key", "other.key", "-c", "1"])?;
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("its signature is wrong"), "{}", refused.stderr);
    fs::remove_file(built.world.path("data/pcm-sandbox/image.key"))?;
    let refused = built.run(&["img", "-c", "1"])?;
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("there is no key"), "{}", refused.stderr);
    assert!(!built.world.path("data/pcm-sandbox/image.key").exists(), "none is made");
    Ok(())
}

fn key(file: &Path) -> Result<[u8; 32], Box<dyn std::error::Error>> {
    let text = fs::read_to_string(file)?;
    let mut key = [0; 32];
    for (byte, digits) in key.iter_mut().zip(text.trim().as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(str::from_utf8(digits)?, 16)?;
    }
    Ok(key)
}

#[test]
fn an_image_of_what_cannot_be_imported_is_not_made() -> TestResult {
    let world = World::new()?;
    world
        .add(&TestWheel::new("broken", "1").file("broken.py", "import there_is_no_such_module"))?;
    for (arguments, reason) in [
        (&["--dep", "broken"][..], "broken cannot be imported: broken: ModuleNotFoundError"),
        (&["--import", "there_is_none"], "No module named 'there_is_none'"),
        (&["--import", "os; print(1)"], "No module named 'os; print(1)'"),
    ] {
        let arguments = [&["image", "build", "-o", "img"], arguments].concat();
        let build = world.pcm(&arguments)?;
        assert_eq!(build.code, Some(2), "{}", build.stderr);
        assert!(build.stderr.contains(reason), "{}", build.stderr);
        assert!(!world.path("img").exists());
    }
    Ok(())
}

#[test]
fn open_files_are_not_left_in_an_image() -> TestResult {
    let world = World::new()?;
    let source = "file = open('/tmp/x', 'w')";
    world.add(&TestWheel::new("holding", "1").file("holding.py", source))?;
    let build = world.pcm(&["image", "build", "--dep", "holding", "-o", "img"])?;
    assert_eq!(build.code, Some(2));
    assert!(build.stderr.contains("1 files are open"), "{}", build.stderr);
    Ok(())
}

#[test]
fn heavy_registry_image_with_pydantic_and_jinja2() -> TestResult {
    let world = World::new()?;
    let arguments = ["image", "build", "--dep", "pydantic", "--dep", "jinja2", "-o", "img"];
    let build = crate::command::Ended::from(world.online(&arguments).output()?);
    assert_eq!(build.code, Some(0), "{}", build.stderr);
    let code = "
import sys
imported = [name in sys.modules for name in ('pydantic', 'jinja2')]
from pydantic import BaseModel
import jinja2
class Point(BaseModel):
    x: int
    y: int = 2
point = Point(x='1')
try:
    Point(x='one')
except ValueError as error:
    failed = type(error).__name__
rendered = jinja2.Template('{{ point.x + point.y }} {{ text|e }}').render(point=point, text='<')
[imported, point.dict(), failed, rendered]";
    let run = world.pcm(&["run", "--image", "img", "--json", "-c", code])?;
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    let expected = json!([[true, true], {"x": 1, "y": 2}, "ValidationError", "3 &lt;"]);
    assert_eq!(run.json()?["value"], expected);
    Ok(())
}
