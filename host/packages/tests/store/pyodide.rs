//! What is resolved for Pyodide, and the user's own wheels; all made by the tests.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use pcm_packages::{PackagesError, Target};

use crate::TestResult;
use crate::offline::{message, simple};
use crate::testing::TestWheel;
use crate::world::{Python, Tool, World, python, titles, with_each};

const WASM: &[u8] = b"\0asm\x01\0\0\0";
const LIBRARY: &str = "_c.cpython-314-wasm32-emscripten.so";

/// A wheel with a library for Pyodide, and for each tag a version of its own.
fn built(name: &str, version: &str, tag: &str) -> TestWheel {
    simple(name, version).tag(tag).file(&format!("{name}_c/{LIBRARY}"), WASM)
}

fn for_pyodide(name: &str, version: &str) -> TestWheel {
    built(name, version, Target::Pyodide.wheel_tag())
}

fn for_linux(name: &str, version: &str) -> TestWheel {
    simple(name, version)
        .tag("cp314-cp314-manylinux2014_x86_64")
        .file(&format!("{name}/_c.cpython-314-x86_64-linux-gnu.so"), "\x7fELF")
}

#[tokio::test]
async fn of_one_version_the_wheel_for_pyodide_is_taken_with_its_libraries() -> TestResult {
    with_each(async |world| {
        let world = world.offline()?;
        world.add(&simple("fast", "1"))?;
        world.add(&for_linux("fast", "1"))?;
        world.add(&for_pyodide("fast", "1").file("fast_c/__init__.py", ""))?;
        world.add(&built("stable", "2", "cp38-abi3-pyemscripten_2026_0_wasm32"))?;
        world.add(&built("old", "3", "cp314-cp314-pyodide_2026_0_wasm32"))?;
        world.add(&simple("pure", "4").metadata("Requires-Dist: fast"))?;
        let set = world.resolve_for_pyodide(&["pure", "stable", "old"]).await?;
        assert_eq!(titles(&set), ["fast 1", "old 3", "pure 4", "stable 2"]);
        for name in ["fast", "old", "stable"] {
            let path = set.folder.join(format!("{name}_c/{LIBRARY}"));
            assert_eq!(fs::read(&path)?, WASM, "{name}");
            assert_eq!(fs::metadata(&path)?.permissions().mode() & 0o777, 0o400, "{name}");
        }
        // The same request for the other target has another answer.
        let set = world.resolve(&["fast"]).await?;
        assert!(!set.folder.join("fast_c").exists());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_older_version_is_taken_where_it_alone_fits() -> TestResult {
    with_each(async |world| {
        let world = world.offline()?;
        world.add(&for_linux("fast", "3"))?;
        world.add(&built("fast", "2", "cp313-cp313-pyemscripten_2025_0_wasm32"))?;
        world.add(&for_pyodide("fast", "1"))?;
        assert_eq!(titles(&world.resolve_for_pyodide(&["fast"]).await?), ["fast 1"]);
        let told = "fast 1 in place of 3, which needs native code that there is not for Pyodide";
        assert!(world.lines().contains(&told.to_owned()));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_target_is_python_3_14_on_emscripten_whoever_resolves() -> TestResult {
    with_each(async |world| {
        let world = world.offline()?;
        let mut top = simple("top", "1").metadata("Requires-Python: >=3.14.1,<3.15");
        for (name, marker) in [
            ("new", "python_version >= '3.14'"),
            ("old", "python_version < '3.14'"),
            ("wasm", "sys_platform == 'emscripten' and platform_machine == 'wasm32'"),
            ("linux", "sys_platform == 'linux' or platform_machine == 'x86_64'"),
            ("exact", "python_full_version == '3.14.2' and implementation_name == 'cpython'"),
        ] {
            top = top.metadata(&format!("Requires-Dist: {name}; {marker}"));
            world.add(&simple(name, "1"))?;
        }
        world.add(&top)?;
        world.add(&simple("top", "2").metadata("Requires-Python: >=3.15"))?;
        let set = world.resolve_for_pyodide(&["top"]).await?;
        assert_eq!(titles(&set), ["exact 1", "new 1", "top 1", "wasm 1"]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_has_no_wheel_for_pyodide_is_named_with_the_way_out() -> TestResult {
    with_each(async |world| {
        let world = world.offline()?;
        world.add(&for_linux("slow", "1"))?;
        world.add(&for_linux("fast", "1"))?;
        world.add(&for_pyodide("fast", "1"))?;
        world.add(
            &simple("frame", "1").metadata("Requires-Dist: slow").metadata("Requires-Dist: fast"),
        )?;
        for request in [&["slow"][..], &["frame"], &["fast", "frame"]] {
            let message = message(world.resolve_for_pyodide(request).await);
            let expected = format!(
                "{}: slow has no wheel for Pyodide (there is \
                 slow-1-cp314-cp314-manylinux2014_x86_64.whl); put one built for it, tagged \
                 cp314-cp314-pyemscripten_2026_0_wasm32, into a folder and name that with --wheels \
                 DIR, or use --backend subprocess or container",
                request.join(", ")
            );
            assert_eq!(message, expected);
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn without_a_wheel_for_pyodide_a_package_may_do_without_native_parts() -> TestResult {
    with_each(async |world| {
        let world = world.offline()?;
        let init = "try:\n    from . import _fast\nexcept ImportError:\n    fast = False\n";
        let native = TestWheel::new("MarkupSafe", "3.0")
            .tag("cp314-cp314-manylinux_2_17_x86_64")
            .file("markupsafe/__init__.py", init)
            .file("markupsafe/_fast.cpython-314-x86_64-linux-gnu.so", "\x7fELF");
        world.add(&native)?;
        world.add(&simple("page", "3").metadata("Requires-Dist: MarkupSafe>=2"))?;
        world.add(&simple("page", "0.1"))?; // from before it needed the other
        let set = world.resolve_for_pyodide(&["page"]).await?;
        assert_eq!(titles(&set), ["markupsafe 3.0", "page 3"]);
        assert_eq!(python(&set, "import markupsafe; print(markupsafe.fast)")?, "False");
        let told = "markupsafe 3.0: leaving out its native parts".to_owned();
        assert!(world.lines().contains(&told));
        // With one, it keeps them.
        world.add(&for_pyodide("markupsafe", "3.0"))?;
        fs::remove_dir_all(world.packages().join("requests"))?;
        let set = world.resolve_for_pyodide(&["page"]).await?;
        assert_eq!(titles(&set), ["markupsafe 3.0", "page 3"]);
        assert!(set.folder.join("markupsafe_c").join(LIBRARY).exists());
        assert!(!world.lines().contains(&told));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_wheel_of_ones_own_is_taken_whatever_the_index_has() -> TestResult {
    with_each(async |world| {
        let world = world.offline()?;
        for version in ["1", "2"] {
            world.add(&for_pyodide("both", version))?;
            world.add(
                &simple("needs", version)
                    .metadata("Requires-Dist: both")
                    .metadata("Requires-Dist: only"),
            )?;
        }
        world.add(&for_linux("only", "9"))?;
        for wheel in [
            for_pyodide("both", "1").file("ours.txt", ""),
            for_pyodide("both", "0.5"),
            built("only", "3", "cp39-abi3-pyemscripten_2026_0_wasm32"),
            for_pyodide("unasked", "1"),
        ] {
            wheel.write(&world.ours())?;
        }
        let set = world.resolve_for_pyodide(&["needs"]).await?;
        assert_eq!(titles(&set), ["both 1", "needs 2", "only 3"]);
        assert!(set.folder.join("ours.txt").exists(), "of two of one version it is ours");
        assert!(!world.lines().iter().any(|line| line.contains("in place of")));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_wheel_of_ones_own_that_is_not_allowed_gives_way() -> TestResult {
    with_each(async |world| {
        let world = world.offline()?;
        for version in ["1.5", "3"] {
            world.add(&for_pyodide("some", version))?;
        }
        world.add(&for_pyodide("other", "7"))?;
        for (name, version) in [("some", "2"), ("some", "1"), ("other", "6")] {
            for_pyodide(name, version).write(&world.ours())?;
        }
        for (request, expected) in [
            (&["some>2"][..], &["some 3"][..]),
            (&["some<2"], &["some 1"]),
            (&["some>1,<2"], &["some 1.5"]),
            (&["some>2", "other"], &["other 6", "some 3"]),
            (&["some==3", "other==7"], &["other 7", "some 3"]),
        ] {
            let set = world.resolve_for_pyodide(request).await?;
            assert_eq!(titles(&set), expected, "{request:?}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn wheels_of_ones_own_do_for_wasi_too() -> TestResult {
    with_each(async |world| {
        let world = world.offline()?;
        world.add(&simple("a", "2"))?;
        simple("a", "1").write(&world.ours())?;
        for_pyodide("b", "1").write(&world.ours())?;
        let store = world.store()?.find_links(world.ours());
        let set = world.resolve_in(&store, &["a"], &Python::default()).await?;
        assert_eq!(titles(&set), ["a 1"]);
        let message = message(world.resolve_in(&store, &["b"], &Python::default()).await);
        let end = "; b-1-cp314-cp314-pyemscripten_2026_0_wasm32.whl is there, but it is for \
                   pyemscripten_2026_0_wasm32, not any";
        assert!(message.starts_with("b: no versions") && message.ends_with(end), "{message}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn wheels_that_do_not_fit_are_named_in_the_error_about_their_package() -> TestResult {
    with_each(async |world| {
        let world = world.offline()?;
        world.add(&for_linux("slow", "1"))?;
        world.add(&simple("frame", "1").metadata("Requires-Dist: hidden"))?;
        for (name, tag) in [
            ("slow", "cp314-cp314-pyemscripten_2025_0_wasm32"),
            ("hidden", "cp313-cp313-pyemscripten_2026_0_wasm32"),
            ("other", "cp313-cp313-pyemscripten_2026_0_wasm32"),
        ] {
            built(name, "1", tag).write(&world.ours())?;
        }
        let python = "it is for cp313-cp313, not cp314-cp314, abi3 of that or an older version, or \
                      py3-none";
        for (request, file, reason) in [
            (
                "slow",
                "slow-1-cp314-cp314-pyemscripten_2025_0_wasm32.whl",
                "it is for pyemscripten_2025_0_wasm32, not pyemscripten_2026_0_wasm32 or any",
            ),
            ("hidden", "hidden-1-cp313-cp313-pyemscripten_2026_0_wasm32.whl", python),
            ("frame", "hidden-1-cp313-cp313-pyemscripten_2026_0_wasm32.whl", python),
        ] {
            let message = message(world.resolve_for_pyodide(&[request]).await);
            assert!(message.contains(&format!("; {file} is there, but {reason}")), "{message}");
            assert!(!message.contains("other-1"), "{message}");
            assert!(!message.contains('/'), "{message}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_new_wheel_is_noticed_and_an_old_answer_kept() -> TestResult {
    let world = World::new(Tool::Pip)?.offline()?;
    world.add(&for_pyodide("a", "1"))?;
    let index = world.resolve_for_pyodide(&["a"]).await?;
    fs::write(world.ours().join("notes.txt"), "")?;
    world.lines();
    assert_eq!(world.resolve_for_pyodide(&["a"]).await?, index);
    assert_eq!(world.lines(), [""; 0], "nothing was started");
    let wheel = for_pyodide("a", "0.5").write(&world.ours())?;
    assert_eq!(titles(&world.resolve_for_pyodide(&["a"]).await?), ["a 0.5"]);
    for_pyodide("a", "0.5").file("changed.txt", "").write(&world.ours())?;
    let changed = world.resolve_for_pyodide(&["a"]).await?;
    assert!(changed.folder.join("changed.txt").exists());
    fs::remove_file(wheel)?;
    assert_eq!(world.resolve_for_pyodide(&["a"]).await?, index);
    fs::remove_dir_all(world.ours())?;
    let message = message(world.resolve_for_pyodide(&["a"]).await);
    assert!(message.starts_with("cannot read a folder of wheels"), "{message}");
    assert!(!message.contains('/'), "{message}");
    Ok(())
}

#[tokio::test]
async fn hostile_wheels_of_ones_own_are_refused_and_leave_nothing() -> TestResult {
    with_each(async |world| {
        let world = world.offline()?;
        let elf = for_pyodide("elf", "1").file("elf/_d.so", "\x7fELF").write(&world.ours())?;
        let liar = simple("liar", "1").file("liar/_c.so", WASM).write(&world.ours())?;
        let outside =
            for_pyodide("outside", "1").file("../outside.so", WASM).write(&world.ours())?;
        let mut trailing = fs::OpenOptions::new()
            .append(true)
            .open(for_pyodide("trailing", "1").write(&world.ours())?)?;
        trailing.write_all(b"more")?;
        fs::write(world.ours().join("text-1-py3-none-any.whl"), "no archive")?;
        let long =
            for_pyodide("long", "1").file(&("x/".repeat(300) + "y.py"), "").write(&world.ours())?;
        assert!([elf, liar, outside, long].iter().all(|path| path.exists()));
        for (name, reason) in [
            ("elf", "is no WebAssembly"),
            ("liar", "it has a native library"),
            ("outside", ""),
            ("trailing", ""),
            ("text", ""),
            ("long", ""),
        ] {
            let result = world.resolve_for_pyodide(&[name]).await;
            let message = message(result);
            assert!(!message.is_empty() && message.contains(reason), "{name}: {message}");
        }
        for folder in ["wheels", "sets", "requests", "work"] {
            assert_eq!(fs::read_dir(world.packages().join(folder))?.count(), 0, "{folder}");
        }
        // They are in nobody else's way, nor are names that a resolver would stumble over.
        for file in ["good-1.0_garbage-py3-none-any.whl", "x-1-y-py3-none-any.whl", "-.whl"] {
            fs::write(world.ours().join(file), "")?;
        }
        world.add(&for_pyodide("good", "1"))?;
        assert_eq!(titles(&world.resolve_for_pyodide(&["good"]).await?), ["good 1"]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_native_wheel_does_not_become_pure_by_its_name() -> TestResult {
    let world = World::new(Tool::Pip)?.offline()?;
    let native = for_pyodide("fast", "1").write(&world.ours())?;
    let set = world.resolve_for_pyodide(&["fast"]).await?;
    assert!(set.folder.join("fast_c").join(LIBRARY).exists());
    fs::rename(native, world.ours().join("fast-1-py3-none-any.whl"))?;
    let store = world.store()?.find_links(world.ours());
    for target in [Target::Wasi, Target::Pyodide] {
        let compiler = Python { target, ..Python::default() };
        let result = world.resolve_in(&store, &["fast"], &compiler).await;
        assert!(matches!(result, Err(PackagesError::Wheel { .. })), "{target:?}: {result:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_page_in_the_folder_leads_nowhere() -> TestResult {
    with_each(async |world| {
        let world = world.offline()?;
        let wheel =
            for_pyodide("far", "1").write(world.packages().parent().unwrap_or(&world.ours()))?;
        let page = format!("<a href=\"file://{}\">far</a>", wheel.display());
        for name in ["index.html", "far.html"] {
            fs::write(world.ours().join(name), &page)?;
        }
        let message = message(world.resolve_for_pyodide(&["far"]).await);
        assert!(message.contains("no versions satisfy this"), "{message}");
        Ok(())
    })
    .await
}
