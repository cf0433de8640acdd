//! The files of a session as Python sees them, in an interpreter that is started for each test.

#![expect(clippy::unwrap_used, reason = "tests")]

mod host;
mod hostile;
mod library;
mod mounts;
mod python;

use std::panic::resume_unwind;
use std::thread;

use deno_core::v8;
use pcm_runtime_api::{Limits, Mount, MountAccess, SandboxConfig};
use tempfile::TempDir;

use super::SharedFiles;
use crate::assets;
use crate::interpreter::{Interpreter, Module, Parts, Stdlib};
use crate::isolate;
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

def attempt(source):
    try:
        value_of(source)
        print("done")
    except BaseException as error:
        print(repr(error))
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
        self.execute(&format!("attempt({})", python(code)));
        assert_eq!(self.interpreter.log(), "done", "{code}");
    }

    fn execute(&mut self, code: &str) {
        self.interpreter.execute(code).unwrap();
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

/// Does something on a thread as large as V8 needs it.
fn on_thread(work: impl FnOnce() + Send + 'static) {
    let entering = move || {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _entered = tokio.enter();
        work();
    };
    let thread = thread::Builder::new().stack_size(STACK).spawn(entering).unwrap();
    thread.join().unwrap_or_else(|panic| resume_unwind(panic));
}

/// Starts Python with the files of a session.
fn session(config: impl Into<SandboxConfig>, test: impl FnOnce(&mut Session) + Send + 'static) {
    let config = config.into();
    on_thread(move || {
        let files = SharedFiles::new(&config).unwrap();
        let interpreter = Interpreter::load(&Parts {
            script: Box::leak(assets::pyodide_js().unwrap().into_boxed_slice()),
            code_cache: None,
            module: Module::Bytes(&assets::pyodide_wasm().unwrap()),
            stdlib: Stdlib::Bytes(assets::STDLIB),
            snapshot: None,
        });
        let mut session = Session { interpreter: interpreter.unwrap(), files };
        // As an interpreter that waited is given to a session.
        let state = session.interpreter.runtime().op_state();
        state.borrow_mut().put(session.files.clone());
        session.execute(PRELUDE);
        test(&mut session);
    });
}

/// Runs a script in an isolate without Python. The script has to end in "done".
fn script(files: Option<SharedFiles>, source: &str) {
    let source = source.to_owned();
    on_thread(move || {
        let mut runtime = isolate::make();
        runtime.op_state().borrow_mut().take::<SharedFiles>();
        if let Some(files) = files {
            runtime.op_state().borrow_mut().put(files);
        }
        let value = runtime.execute_script("hostile.js", source).unwrap();
        deno_core::scope!(scope, &mut runtime);
        let value = v8::Local::new(scope, value);
        assert_eq!(value.to_rust_string_lossy(scope), "done");
    });
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
