//! The files of a session as Python sees them, in an interpreter that is started for each test.

#![expect(clippy::unwrap_used, reason = "tests")]

mod try_out;

use std::sync::mpsc;
use std::thread;

use pcm_runtime_api::{Limits, Mount, MountAccess, SandboxConfig};
use tempfile::TempDir;

use super::SharedFiles;
use crate::assets;
use crate::interpreter::{Interpreter, Parts, Wasm};
use crate::platform::STACK;

/// What compares the value of the last expression, and tells how an operation is refused.
const PRELUDE: &str = r#"
import ast, errno, json, os, sys

def value_of(source):
    body = ast.parse(source).body
    last = ast.Expression(body.pop().value) if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "<test>", "exec"), globals())
    return last and eval(compile(last, "<test>", "eval"), globals())

def check(source, expected):
    value = json.loads(json.dumps(value_of(source)))
    assert value == json.loads(expected), f"{source}\ngave {value!r}, not {expected}"

def refusal(source):
    try:
        value_of(source)
    except Exception as error:
        return f"{type(error).__name__} {errno.errorcode.get(getattr(error, 'errno', None), '')}".strip()
    return "went well"

def check_refused(source, expected):
    told = refusal(source)
    assert told == expected, f"{source}\ngave {told}, not {expected}"
"#;

/// Python with the files of a session.
struct Session {
    interpreter: Interpreter,
    files: SharedFiles,
}

impl Session {
    /// Runs code, which must not fail.
    #[track_caller]
    fn run(&mut self, code: &str) {
        self.interpreter.call("execute", &[code], |_, _| ()).unwrap();
    }

    /// Compares the value of the last expression.
    #[track_caller]
    fn check(&mut self, code: &str, expected: &serde_json::Value) {
        self.run(&format!("check({}, {})", python(code), python(&expected.to_string())));
    }

    /// Compares the name of the error that the code ends with, and its number.
    #[track_caller]
    fn check_refused(&mut self, code: &str, expected: &str) {
        self.run(&format!("check_refused({}, {})", python(code), python(expected)));
    }
}

/// A literal.
fn python(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// Starts Python with the files of a session, on a thread as large as its stack needs.
fn session(config: impl Into<SandboxConfig>, test: impl FnOnce(&mut Session) + Send + 'static) {
    let config = config.into();
    let (told, outcome) = mpsc::channel();
    let work = move || {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _entered = tokio.enter();
        let files = SharedFiles::new(&config).unwrap();
        let interpreter = Interpreter::load(Parts {
            pyodide_js: &assets::pyodide_js().unwrap(),
            stdlib: assets::STDLIB.to_vec(),
            code_cache: None,
            wasm: Wasm::Bytes(&assets::pyodide_wasm().unwrap()),
            memory: 0,
        });
        let mut session = Session { interpreter: interpreter.unwrap(), files };
        session.interpreter.call("finish", &[""], |_, _| ()).unwrap();
        // As an interpreter that waited is given to a session.
        let state = session.interpreter.runtime.op_state();
        state.borrow_mut().put(session.files.clone());
        session.run(PRELUDE);
        test(&mut session);
        told.send(()).unwrap();
    };
    let thread = thread::Builder::new().stack_size(STACK).spawn(work).unwrap();
    if outcome.recv().is_err()
        && let Err(panic) = thread.join()
    {
        std::panic::resume_unwind(panic);
    }
}

/// A session that has nothing yet.
fn fresh(test: impl FnOnce(&mut Session) + Send + 'static) {
    session(Limits::default(), test);
}

/// A session with a folder of the host at `/data`.
fn mounted(host: &TempDir, access: MountAccess, test: impl FnOnce(&mut Session) + Send + 'static) {
    let mount = Mount { host: host.path().into(), guest: "/data".to_owned(), access };
    session(SandboxConfig { mounts: vec![mount], ..SandboxConfig::default() }, test);
}
