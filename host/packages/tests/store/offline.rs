//! Wheels made by the tests, and no index.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use pcm_packages::{Compiled, Compiler, PackagesError, Store};

use crate::TestResult;
use crate::testing::TestWheel;
use crate::world::{Python, Tool, World, python, titles, with_each};

pub(crate) fn simple(name: &str, version: &str) -> TestWheel {
    let module = name.replace('-', "_");
    TestWheel::new(name, version).file(&format!("{module}.py"), format!("version = {version:?}\n"))
}

fn native(name: &str, version: &str) -> TestWheel {
    simple(name, version)
        .tag("cp313-cp313-manylinux2014_x86_64")
        .file(&format!("{name}/_c.so"), "ELF")
}

pub(crate) fn message<T>(result: Result<T, PackagesError>) -> String {
    result.err().map(|error| error.to_string()).unwrap_or_default()
}

#[tokio::test]
async fn a_request_becomes_a_folder_with_all_that_it_requires() -> TestResult {
    with_each(async |world| {
        let world = world.offline()?;
        world.add(&simple("Top", "2.0").metadata("Requires-Dist: below>=1"))?;
        world.add(&simple("top", "1.0"))?;
        world.add(&simple("below", "1.5"))?;
        world.add(&simple("below", "0.5"))?;
        let set = world.resolve(&["top"]).await?;
        assert_eq!(titles(&set), ["below 1.5", "top 2.0"]);
        let found = python(
            &set,
            "import Top, below, importlib.metadata as m\n\
             print(Top.version, below.version, m.version('below'), m.requires('top'), \
             [str(f) for f in m.files('below')][0])",
        )?;
        assert_eq!(found, "2.0 1.5 1.5 ['below>=1'] below-1.5.dist-info/METADATA");
        let lines = world.lines();
        assert!(lines[0].starts_with("resolving 1 package with "), "{lines:?}");
        assert_eq!(lines.last().map(String::as_str), Some("compiling 2 files"));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_second_time_nothing_is_started() -> TestResult {
    let world = World::new(Tool::Pip)?.offline()?;
    world.add(&simple("a", "1"))?;
    world.add(&simple("b", "1"))?;
    let compiler = Python::default();
    let first = world.resolve_in(&world.store()?, &["a", "b>=1"], &compiler).await?;
    world.lines();
    let second = world.resolve_in(&world.store()?, &["b >= 1", "A", "a"], &compiler).await?;
    assert_eq!(first, second);
    assert_eq!(world.lines(), [""; 0]);
    assert_eq!(compiler.calls.load(Ordering::Relaxed), 1);
    Ok(())
}

#[tokio::test]
async fn an_old_answer_is_asked_for_again_and_wheels_are_kept() -> TestResult {
    let world = World::new(Tool::Pip)?.offline()?;
    world.add(&simple("a", "1"))?;
    let first = world.resolve(&["a"]).await?;
    world.add(&simple("a", "2"))?;
    assert_eq!(world.resolve(&["a"]).await?, first);
    let fresh = world.store()?.max_age(Duration::ZERO);
    let compiler = Python::default();
    assert_eq!(titles(&world.resolve_in(&fresh, &["a"], &compiler).await?), ["a 2"]);
    assert_eq!(titles(&world.resolve(&["a"]).await?), ["a 2"], "it is remembered anew");
    world.resolve_in(&fresh, &["a==2"], &compiler).await?;
    assert_eq!(compiler.calls.load(Ordering::Relaxed), 1, "the same wheels are the same set");
    Ok(())
}

#[tokio::test]
async fn other_indexes_have_other_answers() -> TestResult {
    let mut world = World::new(Tool::Pip)?.offline()?;
    world.add(&simple("a", "1"))?;
    world.resolve(&["a"]).await?;
    world.environment.push(("PIP_CONSTRAINT".into(), world.wheels().join("none").into()));
    assert!(world.resolve(&["a"]).await.is_err(), "it was not asked again");
    Ok(())
}

#[tokio::test]
async fn the_target_is_python_3_13_on_emscripten_whoever_resolves() -> TestResult {
    with_each(async |world| {
        let world = world.offline()?;
        let mut top = simple("top", "1").metadata("Requires-Python: >=3.13,<3.14");
        for (name, marker) in [
            ("new", "python_version >= '3.13'"),
            ("old", "python_version < '3.13'"),
            ("wasm", "sys_platform == 'emscripten' and platform_machine == 'wasm32'"),
            ("linux", "sys_platform == 'linux' or platform_machine == 'x86_64'"),
        ] {
            top = top.metadata(&format!("Requires-Dist: {name}; {marker}"));
            world.add(&simple(name, "1"))?;
        }
        world.add(&top)?;
        world.add(&simple("top", "2").metadata("Requires-Python: >=3.14"))?;
        assert_eq!(titles(&world.resolve(&["top"]).await?), ["new 1", "top 1", "wasm 1"]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_older_version_is_taken_where_the_newest_is_native() -> TestResult {
    with_each(async |world| {
        let world = world.offline()?;
        world.add(&simple("model", "2.0").metadata("Requires-Dist: model-core==2.0"))?;
        world.add(&native("model-core", "2.0"))?;
        world.add(&simple("model", "1.10"))?;
        assert_eq!(titles(&world.resolve(&["model"]).await?), ["model 1.10"]);
        let lines = world.lines();
        let told = "model 1.10 in place of 2.0, which needs native code".to_owned();
        assert!(lines.contains(&told), "{lines:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_is_native_is_named_and_nothing_else() -> TestResult {
    with_each(async |world| {
        let world = world.offline()?;
        world.add(&native("fast", "1"))?;
        world.add(&simple("frame", "1").metadata("Requires-Dist: fast"))?;
        world.add(&simple("plain", "1"))?;
        world.add(&simple("model", "2").metadata("Requires-Dist: model-core"))?;
        world.add(&native("model-core", "2"))?;
        world.add(&simple("model", "1"))?;
        for request in [&["fast"][..], &["frame", "plain", "model"]] {
            let message = message(world.resolve(request).await);
            assert!(message.starts_with(&request_sorted(request)), "{message}");
            let why = "fast has no pure Python wheel (there is \
                       fast-1-cp313-cp313-manylinux2014_x86_64.whl); the wasm backend cannot load \
                       native code; use --backend deno-sandbox, subprocess or container";
            assert!(message.ends_with(&format!(": {why}")), "{message}");
        }
        Ok(())
    })
    .await
}

fn request_sorted(request: &[&str]) -> String {
    let mut request = request.to_vec();
    request.sort_unstable();
    request.join(", ")
}

#[tokio::test]
async fn a_package_that_works_without_its_native_parts_loses_them() -> TestResult {
    with_each(async |world| {
        let world = world.offline()?;
        let page = simple("page", "3").metadata("Requires-Dist: MarkupSafe>=2");
        world.add(&page)?;
        world.add(&simple("page", "0.1"))?; // from before it needed the other
        world.add(
            &TestWheel::new("MarkupSafe", "3.0")
                .tag("cp313-cp313-manylinux_2_17_x86_64")
                .file(
                    "markupsafe/__init__.py",
                    "try:\n    from . import _fast\nexcept ImportError:\n    fast = False\n",
                )
                .file("markupsafe/_fast.cpython-313-x86_64-linux-gnu.so", "\x7fELF"),
        )?;
        let set = world.resolve(&["page"]).await?;
        assert_eq!(titles(&set), ["markupsafe 3.0", "page 3"]);
        assert_eq!(python(&set, "import markupsafe; print(markupsafe.fast)")?, "False");
        let wheel = fs::read_to_string(set.folder.join("MarkupSafe-3.0.dist-info/WHEEL"))?;
        assert!(wheel.contains("Tag: py3-none-any"));
        let lines = world.lines();
        assert!(lines.iter().any(|line| line == "markupsafe 3.0: leaving out its native parts"));
        // Once is enough.
        fs::remove_dir_all(world.packages().join("requests"))?;
        world.resolve(&["page"]).await?;
        assert!(!world.lines().iter().any(|line| line.contains("native parts")));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_cannot_be_had_is_said_without_where_it_was_looked_for() -> TestResult {
    with_each(async |world| {
        let world = world.offline()?;
        world.add(&simple("a", "1"))?;
        for (request, words) in [(&["missing-thing"][..], "missing-thing"), (&["a==9"], "a==9")] {
            let message = message(world.resolve(request).await);
            assert!(message.starts_with(words), "{message}");
            assert!(message.contains("no versions satisfy this"), "{message}");
            assert!(!message.contains('/'), "{message}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_index_that_does_not_answer_is_no_lack_of_versions() -> TestResult {
    with_each(async |mut world| {
        let is_ours = |name: &std::ffi::OsString| {
            name.to_str().is_some_and(|name| name.starts_with("PIP_") || name.starts_with("UV_"))
        };
        world.environment.retain(|(name, _)| !is_ours(name));
        for name in ["PIP_INDEX_URL", "UV_DEFAULT_INDEX"] {
            world.environment.push((name.into(), "http://me:secret@127.0.0.1:9/simple".into()));
        }
        for (name, value) in [("PIP_RETRIES", "1"), ("UV_HTTP_RETRIES", "0")] {
            world.environment.push((name.into(), value.into()));
        }
        let message = message(world.resolve(&["a"]).await);
        assert!(message.contains(" failed: "), "{message}");
        for secret in ["secret", "127.0.0.1", "simple", "me:"] {
            assert!(!message.contains(secret), "{message}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn nothing_is_built_from_source() -> TestResult {
    with_each(async |world| {
        let world = world.offline()?;
        let proof = world.wheels().join("ran");
        let setup = format!("open({proof:?}, 'w').close()");
        let code = format!(
            "import io, tarfile\n\
             t = tarfile.open({:?}, 'w:gz')\n\
             for name, text in [('setup.py', {setup:?}), ('PKG-INFO', 'Metadata-Version: 2.1\\nName: src\\nVersion: 1\\n')]:\n    \
             i = tarfile.TarInfo('src-1/' + name); i.size = len(text); t.addfile(i, io.BytesIO(text.encode()))\n\
             t.close()",
            world.wheels().join("src-1.tar.gz")
        );
        let made = std::process::Command::new("python3").args(["-c", &code]).status()?;
        assert!(made.success());
        assert!(world.resolve(&["src"]).await.is_err());
        assert!(!proof.exists());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn two_packages_with_one_file_are_both_named() -> TestResult {
    let world = World::new(Tool::Pip)?.offline()?;
    world.add(&simple("a", "1").file("shared/data.txt", "1").file("shared/__init__.py", ""))?;
    world.add(&simple("b", "1").file("shared/data.txt", "2").file("shared/__init__.py", ""))?;
    world.add(&simple("c", "1").file("shared/__init__.py", ""))?;
    world.add(&simple("d", "1").file("shared", ""))?;
    let message = message(world.resolve(&["a", "b"]).await);
    for part in ["a", "b", "\"shared/data.txt\"", "cannot be installed together"] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(titles(&world.resolve(&["a", "c"]).await?), ["a 1", "c 1"]);
    assert!(world.resolve(&["a", "d"]).await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_hostile_wheel_is_named_and_leaves_nothing() -> TestResult {
    let world = World::new(Tool::Pip)?.offline()?;
    world.add(&simple("evil", "1").file("evil/_c.so", "ELF"))?;
    let message = message(world.resolve(&["evil"]).await);
    let reason = "the wheel evil-1-py3-none-any.whl is refused: it has a native library";
    assert!(message.starts_with(reason), "{message}");
    for folder in ["wheels", "sets", "requests", "work"] {
        assert_eq!(fs::read_dir(world.packages().join(folder))?.count(), 0, "{folder}");
    }
    Ok(())
}

#[tokio::test]
async fn a_set_is_compiled_and_read_only() -> TestResult {
    let world = World::new(Tool::Pip)?.offline()?;
    let wheel = simple("a", "1")
        .file("p/__init__.py", "x = 1\n")
        .file("p/template.py", "def {{ name }}():\n")
        .file("p/deep/er/m.py", "def f():\n    return 42\n");
    world.add(&wheel)?;
    let set = world.resolve(&["a"]).await?;
    assert!(world.lines().contains(&"1 of them are no Python of this version".to_owned()));
    let found = python(
        &set,
        "import importlib.util as u, os, p.deep.er.m as m\n\
         cached = m.__spec__.cached\n\
         flags = int.from_bytes(open(cached, 'rb').read()[4:8], 'little')\n\
         print(os.path.exists(u.cache_from_source(m.__file__)), flags, m.f.__code__.co_filename == m.__file__)",
    )?;
    assert_eq!(found, "True 1 True", "unchecked, by hash");
    for (path, mode) in [("", 0o500), ("p", 0o500), ("p/__pycache__", 0o500), ("a.py", 0o400)] {
        let permissions = fs::metadata(set.folder.join(path))?.permissions();
        assert_eq!(permissions.mode() & 0o777, mode, "{path}");
    }
    Ok(())
}

/// Does something to the folder that it shall compile.
struct Saboteur(fn(&Path) -> std::io::Result<()>);

#[async_trait]
impl Compiler for Saboteur {
    fn key(&self) -> String {
        "saboteur".to_owned()
    }
    async fn compile(&self, folder: &Path) -> Result<Compiled, PackagesError> {
        (self.0)(folder).map_err(|error| PackagesError::Compiler { message: error.to_string() })?;
        Ok(Compiled { compiled: 1, skipped: 0 })
    }
}

#[tokio::test]
async fn a_compiler_may_leave_bytecode_and_nothing_else() -> TestResult {
    let world = World::new(Tool::Pip)?.offline()?;
    world.add(&simple("a", "1"))?;
    let sabotages: [fn(&Path) -> std::io::Result<()>; 7] = [
        |folder| fs::write(folder.join("a.py"), "version = '9'\n"),
        |folder| fs::write(folder.join("b.py"), ""),
        |folder| fs::remove_file(folder.join("a.py")),
        |folder| {
            fs::create_dir(folder.join("__pycache__"))?;
            fs::write(folder.join("__pycache__/other.cpython-313.pyc"), "")
        },
        |folder| {
            fs::create_dir(folder.join("__pycache__"))?;
            std::os::unix::fs::symlink("/etc/passwd", folder.join("__pycache__/a.cpython-313.pyc"))
        },
        |folder| {
            fs::create_dir(folder.join("__pycache__"))?;
            fs::hard_link(folder.join("a.py"), folder.join("__pycache__/a.cpython-313.pyc"))
        },
        |folder| fs::write(folder.join("a.pth"), "import os\n"),
    ];
    let store = world.store()?;
    for (index, sabotage) in sabotages.into_iter().enumerate() {
        let result = world.resolve_in(&store, &["a"], &Saboteur(sabotage)).await;
        assert!(matches!(result, Err(PackagesError::Compiler { .. })), "{index}: {result:?}");
        assert_eq!(fs::read_dir(world.packages().join("sets"))?.count(), 0, "{index}");
    }
    let good = Saboteur(|folder| {
        fs::create_dir(folder.join("__pycache__"))?;
        fs::write(folder.join("__pycache__/a.cpython-313.pyc"), "bytecode")
    });
    let set = world.resolve_in(&store, &["a"], &good).await?;
    assert!(set.folder.join("__pycache__/a.cpython-313.pyc").exists());
    Ok(())
}

/// Finds no files, as where the folder is not shown to the sandbox.
struct Blind;

#[async_trait]
impl Compiler for Blind {
    fn key(&self) -> String {
        "blind".to_owned()
    }
    async fn compile(&self, _: &Path) -> Result<Compiled, PackagesError> {
        Ok(Compiled::default())
    }
}

#[tokio::test]
async fn a_compiler_that_sees_no_files_has_failed() -> TestResult {
    let world = World::new(Tool::Pip)?.offline()?;
    world.add(&simple("a", "1"))?;
    let message = message(world.resolve_in(&world.store()?, &["a"], &Blind).await);
    assert_eq!(message, "the packages could not be compiled: it saw 0 and 0 files of 1");
    Ok(())
}

#[tokio::test]
async fn a_damaged_set_is_made_again() -> TestResult {
    let world = World::new(Tool::Pip)?.offline()?;
    world.add(&simple("a", "1"))?;
    let set = world.resolve(&["a"]).await?;
    let file = set.folder.join("a.py");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    fs::write(&file, "")?;
    assert_eq!(world.resolve(&["a"]).await?, set);
    assert_eq!(fs::read_to_string(&file)?, "version = \"1\"\n");
    Ok(())
}

#[tokio::test]
async fn two_at_once_get_the_same_folder() -> TestResult {
    let world = World::new(Tool::Pip)?.offline()?;
    for name in ["a", "b", "c"] {
        world.add(&simple(name, "1"))?;
    }
    let (first, second) = (world.store()?, world.store()?);
    let compiler = Python::default();
    let (first, second) = tokio::join!(
        world.resolve_in(&first, &["a", "b"], &compiler),
        world.resolve_in(&second, &["a", "b"], &compiler),
    );
    let (first, second) = (first?, second?);
    assert_eq!(first, second);
    assert_eq!(python(&first, "import a, b; print(a.version)")?, "1");
    for folder in ["work", "sets", "wheels"] {
        let left: Vec<_> = fs::read_dir(world.packages().join(folder))?.flatten().collect();
        let aside = left.iter().filter(|e| e.file_name().to_string_lossy().starts_with('.'));
        assert_eq!(aside.count(), 0, "{folder}");
    }
    Ok(())
}

#[tokio::test]
async fn no_packages_are_an_empty_folder() -> TestResult {
    let world = World::new(Tool::Pip)?.offline()?;
    let set = world.resolve(&[]).await?;
    assert_eq!(titles(&set), [""; 0]);
    assert_eq!(fs::read_dir(&set.folder)?.count(), 0);
    Ok(())
}

#[tokio::test]
async fn without_a_resolver_it_is_said_what_is_needed() -> TestResult {
    let mut world = World::new(Tool::Pip)?.offline()?;
    let programs = tempfile::tempdir()?;
    world.environment.retain(|(name, _)| name != "PATH");
    world.environment.push(("PATH".into(), programs.path().into()));
    let none = message(world.resolve(&["a"]).await);
    assert_eq!(
        none,
        "packages are resolved by uv (0.9.30 or newer) or pip (22.2 or newer, of the python3 in \
         PATH), and neither is here"
    );
    for (program, version) in [("uv", "uv 0.1.0"), ("python3", "pip 9.0.1")] {
        let path = programs.path().join(program);
        fs::write(&path, format!("#!/bin/sh\necho {version}\n"))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
    }
    let old = message(world.resolve(&["a"]).await);
    assert!(old.ends_with("here is only uv 0.1.0 and pip 9.0.1"), "{old}");
    Ok(())
}

#[test]
fn a_store_that_others_can_write_is_refused() -> TestResult {
    let folder = tempfile::tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777))?;
    assert!(matches!(Store::at(folder.path()), Err(PackagesError::Cache { .. })));
    Ok(())
}
