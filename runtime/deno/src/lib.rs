//! The deno-sandbox wall: Pyodide in a V8 isolate.

mod assets;
mod error;
mod interpreter;
mod isolate;
mod ops;
mod platform;
mod serving;

pub use error::DenoError;

#[doc(hidden)]
pub fn prototype() {
    use std::time::Instant;
    let tokio = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = tokio.enter();
    let t = Instant::now();
    let js = assets::pyodide_js().unwrap();
    let wasm = assets::pyodide_wasm().unwrap();
    eprintln!("unpack {:?}", t.elapsed());
    let mut first = interpreter::Interpreter::load(interpreter::Parts {
        pyodide_js: &js,
        stdlib: assets::STDLIB.to_vec(),
        code_cache: None,
        wasm: interpreter::Wasm::Bytes(&wasm),
        memory: 0,
    })
    .unwrap();
    eprintln!("cold {:?} {}", t.elapsed(), first.log());
    first.call("finish", &[""], |_, _| ()).unwrap();
    eprintln!("finished {:?} {}", t.elapsed(), first.log());
    first.put("/packages.bin", assets::PACKAGES.to_vec()).unwrap();
    first.put("/source.zip", assets::STDLIB.to_vec()).unwrap();
    first.call("execute", &[include_str!("../pcm_pyodide/pack.py")], |_, _| ()).unwrap();
    let stdlib = first.bytes("get", &["/packed.zip"]).unwrap();
    eprintln!("packed {:?} {} {}", t.elapsed(), stdlib.len(), first.log());
    let module = first.compiled();
    drop(first);
    let mut second = interpreter::Interpreter::load(interpreter::Parts {
        pyodide_js: &js,
        stdlib: stdlib.clone(),
        code_cache: None,
        wasm: interpreter::Wasm::Compiled(&module),
        memory: 0,
    })
    .unwrap();
    second.call("finish", &[""], |_, _| ()).unwrap();
    eprintln!("second {:?} {}", t.elapsed(), second.log());
    second.call("execute", &["from pcm_pyodide import session; session.prepare()"], |_, _| ()).unwrap();
    let state = second.call("snapshot", &[], |scope, value| value.to_rust_string_lossy(scope)).unwrap();
    let memory = second.bytes("memory", &[]).unwrap();
    let cache = second.code_cache();
    eprintln!("snapshot {:?} {} cache {} {}", t.elapsed(), memory.len(), cache.len(), &state[..state.len().min(600)]);
    drop(second);
    for _ in 0..6 {
        let t = Instant::now();
        let mut third = interpreter::Interpreter::load(interpreter::Parts {
            pyodide_js: &js,
            stdlib: stdlib.clone(),
            code_cache: Some(&cache),
            wasm: interpreter::Wasm::Compiled(&module),
            memory: memory.len(),
        })
        .unwrap();
        eprintln!("loaded {:?}", t.elapsed());
        third.fill(&memory);
        eprintln!("filled {:?}", t.elapsed());
        third.call("resume", &[&state], |_, _| ()).unwrap();
        eprintln!("resumed {:?} {}", t.elapsed(), third.log());
    }
}
