//! `run --dep`: packages, from an index in a folder.

use serde_json::json;

use crate::TestResult;
use crate::testing::TestWheel;
use crate::world::World;

#[test]
fn a_package_is_fetched_compiled_and_imported() -> TestResult {
    let world = World::new()?;
    let source = "def where():\n    return __file__, where.__code__.co_filename\n";
    world.add(&TestWheel::new("tiny-dep", "1.0").file("tiny_dep.py", source))?;
    let code =
        "import tiny_dep, os\n[*tiny_dep.where(), tiny_dep.__cached__, os.listdir('/packages')]";
    let run = world.pcm(&["run", "--json", "--dep", "tiny-dep>=1", "-c", code])?;
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    let value = &run.json()?["value"];
    assert_eq!(value[0], "/packages/tiny_dep.py");
    assert_eq!(value[1], "/packages/tiny_dep.py", "the bytecode knows its source");
    assert_eq!(value[2], "/packages/__pycache__/tiny_dep.cpython-313.pyc");
    assert!(value[3].as_array().is_some_and(|names| names.contains(&json!("__pycache__"))));
    Ok(())
}

#[test]
fn packages_cannot_be_changed() -> TestResult {
    let world = World::new()?;
    world.add(&TestWheel::new("tiny-dep", "1.0").file("tiny_dep.py", "x = 1"))?;
    let code = "open('/packages/tiny_dep.py', 'w')";
    let run = world.pcm(&["run", "--dep", "tiny-dep", "-c", code])?;
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("OSError") && run.stderr.contains("ead-only"), "{}", run.stderr);
    Ok(())
}

#[test]
fn what_is_not_to_be_had_is_told() -> TestResult {
    let world = World::new()?;
    let run = world.pcm(&["run", "--dep", "no-such-package", "-c", "1"])?;
    assert_eq!(run.code, Some(3));
    assert!(run.stderr.contains("no-such-package"), "{}", run.stderr);
    let run = world.pcm(&["run", "--dep", "../../etc", "-c", "1"])?;
    assert_eq!(run.code, Some(3));
    assert!(run.stderr.contains("is not taken as a requirement"), "{}", run.stderr);
    Ok(())
}
