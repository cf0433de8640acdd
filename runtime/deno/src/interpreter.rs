//! Python in an isolate.

use std::time::Instant;

use deno_core::{JsRuntime, v8};
use deno_core::v8::script_compiler::{self, CachedData, CompileOptions, NoCacheReason, Source};

use crate::assets;
use crate::error::DenoError;
use crate::isolate;
use crate::ops::Log;

type Scope<'s, 'i> = v8::PinScope<'s, 'i>;

/// What an interpreter is made of.
pub(crate) struct Parts<'a> {
    pub(crate) pyodide_js: &'a [u8],
    pub(crate) stdlib: Vec<u8>,
    pub(crate) code_cache: Option<&'a [u8]>,
    pub(crate) wasm: Wasm<'a>,
    /// The bytes of memory that it begins with; 0 to start Python from nothing.
    pub(crate) memory: usize,
}

pub(crate) enum Wasm<'a> {
    Bytes(&'a [u8]),
    Compiled(&'a v8::CompiledWasmModule),
}

/// Pyodide, loaded.
pub(crate) struct Interpreter {
    loader: v8::Global<v8::Object>,
    script: v8::Global<v8::UnboundScript>,
    module: v8::CompiledWasmModule,
    pub(crate) runtime: JsRuntime,
}

impl Interpreter {
    pub(crate) fn load(parts: Parts<'_>) -> Result<Self, DenoError> {
        let t = Instant::now();
        let mut runtime = isolate::make(256 << 20);
        eprintln!("  isolate {:?}", t.elapsed());
        let (loader, script, module) = {
            deno_core::scope!(scope, &mut runtime);
            v8::tc_scope!(let scope, scope);
            let context = scope.get_current_context();
            context.set_allow_generation_from_strings(false);
            let loaded = load(scope, &parts);
            eprintln!("  loaded {:?}", t.elapsed());
            match loaded {
                Some(loaded) => loaded,
                None => return Err(DenoError::Start(describe(scope))),
            }
        };
        let mut interpreter = Self { loader, script, module, runtime };
        let started = interpreter.start(parts);
        eprintln!("  started {:?}", t.elapsed());
        started.map(|()| interpreter)
    }

    fn start(&mut self, parts: Parts<'_>) -> Result<(), DenoError> {
        deno_core::scope!(scope, &mut self.runtime);
        v8::tc_scope!(let scope, scope);
        let loader = v8::Local::new(scope, &self.loader);
        let stdlib = v8::ArrayBuffer::new_backing_store_from_vec(parts.stdlib).make_shared();
        let stdlib = v8::ArrayBuffer::with_backing_store(scope, &stdlib);
        let length = stdlib.byte_length();
        let started = (|| {
            let stdlib = v8::Uint8Array::new(scope, stdlib, 0, length)?;
            let wasm = v8::WasmModuleObject::from_compiled_module(scope, &self.module)?;
            let memory = v8::Number::new(scope, parts.memory as f64);
            let promise =
                call(scope, loader, "start", &[wasm.into(), stdlib.into(), memory.into()])?;
            v8::Local::<v8::Promise>::try_from(promise).ok()
        })();
        let Some(promise) = started else { return Err(DenoError::Start(describe(scope))) };
        scope.perform_microtask_checkpoint();
        match promise.state() {
            v8::PromiseState::Fulfilled => Ok(()),
            v8::PromiseState::Pending => Err(DenoError::Start("it waits for something".to_owned())),
            v8::PromiseState::Rejected => {
                let reason = promise.result(scope);
                let text = if let Ok(object) = v8::Local::<v8::Object>::try_from(reason) {
                    let key = v8::String::new(scope, "stack").unwrap();
                    object.get(scope, key.into()).map(|v| v.to_rust_string_lossy(scope)).unwrap_or_default()
                } else {
                    reason.to_rust_string_lossy(scope)
                };
                Err(DenoError::Start(text))
            }
        }
    }

    pub(crate) fn put(&mut self, path: &str, data: Vec<u8>) -> Result<(), DenoError> {
        deno_core::scope!(scope, &mut self.runtime);
        v8::tc_scope!(let scope, scope);
        let loader = v8::Local::new(scope, &self.loader);
        let store = v8::ArrayBuffer::new_backing_store_from_vec(data).make_shared();
        let buffer = v8::ArrayBuffer::with_backing_store(scope, &store);
        let length = buffer.byte_length();
        let done = (|| {
            let bytes = v8::Uint8Array::new(scope, buffer, 0, length)?;
            let path = v8::String::new(scope, path)?;
            call(scope, loader, "put", &[path.into(), bytes.into()])
        })();
        if done.is_none() { Err(DenoError::Start(describe(scope))) } else { Ok(()) }
    }

    pub(crate) fn bytes(&mut self, name: &str, arguments: &[&str]) -> Result<Vec<u8>, DenoError> {
        self.call(name, arguments, |_, value| {
            let view = v8::Local::<v8::Uint8Array>::try_from(value).unwrap();
            let mut into = vec![0; view.byte_length()];
            view.copy_contents(&mut into);
            into
        })
    }

    /// Calls a method of the loader.
    pub(crate) fn call<T>(
        &mut self,
        name: &str,
        arguments: &[&str],
        read: impl FnOnce(&mut Scope<'_, '_>, v8::Local<'_, v8::Value>) -> T,
    ) -> Result<T, DenoError> {
        deno_core::scope!(scope, &mut self.runtime);
        v8::tc_scope!(let scope, scope);
        let loader = v8::Local::new(scope, &self.loader);
        let arguments: Option<Vec<v8::Local<'_, v8::Value>>> = arguments
            .iter()
            .map(|text| v8::String::new(scope, text).map(Into::into))
            .collect();
        let value = arguments.and_then(|arguments| call(scope, loader, name, &arguments));
        match value {
            Some(value) => Ok(read(scope, value)),
            None => Err(DenoError::Start(describe(scope))),
        }
    }

    pub(crate) fn fill(&mut self, image: &[u8]) {
        self.call("memory", &[], |scope, value| {
            let view = v8::Local::<v8::Uint8Array>::try_from(value).unwrap();
            let buffer = view.buffer(scope).unwrap();
            let data = buffer.data().unwrap();
            assert!(buffer.byte_length() >= image.len());
            unsafe { std::ptr::copy_nonoverlapping(image.as_ptr(), data.as_ptr().cast(), image.len()) }
        }).unwrap();
    }

    pub(crate) fn compiled(&mut self) -> v8::CompiledWasmModule {
        deno_core::scope!(scope, &mut self.runtime);
        v8::WasmModuleObject::from_compiled_module(scope, &self.module)
            .unwrap()
            .get_compiled_module()
    }

    pub(crate) fn code_cache(&mut self) -> Vec<u8> {
        deno_core::scope!(scope, &mut self.runtime);
        let script = v8::Local::new(scope, &self.script);
        script.create_code_cache().map(|data| data.to_vec()).unwrap_or_default()
    }

    pub(crate) fn log(&mut self) -> String {
        self.runtime.op_state().borrow().borrow::<Log>().0.clone()
    }
}

type Loaded =
    (v8::Global<v8::Object>, v8::Global<v8::UnboundScript>, v8::CompiledWasmModule);

fn load(scope: &mut Scope<'_, '_>, parts: &Parts<'_>) -> Option<Loaded> {
    let context = scope.get_current_context();
    let global = context.global(scope);
    let ops = {
        let deno = get(scope, global, "Deno")?;
        let core = get(scope, deno, "core")?;
        get(scope, core, "ops")?
    };
    for name in ["Deno", "__bootstrap"] {
        let name = v8::String::new(scope, name)?;
        global.delete(scope, name.into())?;
    }
    let loader = script(scope, assets::LOADER.as_bytes(), "loader.js", None)?;
    let make: v8::Local<v8::Function> = evaluate(scope, loader)?.try_into().ok()?;
    let source = script(scope, parts.pyodide_js, "pyodide.js", parts.code_cache)?;
    let pyodide = evaluate(scope, source)?;
    let undefined = v8::undefined(scope).into();
    let loader: v8::Local<v8::Object> =
        make.call(scope, undefined, &[ops.into(), pyodide])?.try_into().ok()?;
    let module = match parts.wasm {
        Wasm::Bytes(bytes) => v8::WasmModuleObject::compile(scope, bytes)?.get_compiled_module(),
        Wasm::Compiled(module) => v8::WasmModuleObject::from_compiled_module(scope, module)?
            .get_compiled_module(),
    };
    Some((v8::Global::new(scope, loader), v8::Global::new(scope, source), module))
}

fn script<'s>(
    scope: &mut Scope<'s, '_>,
    text: &[u8],
    name: &str,
    cache: Option<&[u8]>,
) -> Option<v8::Local<'s, v8::UnboundScript>> {
    let text = v8::String::new_from_utf8(scope, text, v8::NewStringType::Normal)?;
    let name = v8::String::new(scope, name)?.into();
    let origin = v8::ScriptOrigin::new(
        scope, name, 0, 0, false, 0, None, false, false, false, None,
    );
    match cache {
        Some(cache) => {
            let mut source =
                Source::new_with_cached_data(text, Some(&origin), CachedData::new(cache));
            let script = script_compiler::compile_unbound_script(
                scope,
                &mut source,
                CompileOptions::ConsumeCodeCache,
                NoCacheReason::NoReason,
            );
            eprintln!("  cache rejected: {:?}", source.get_cached_data().map(|d| d.rejected()));
            script
        }
        None => {
            let mut source = Source::new(text, Some(&origin));
            script_compiler::compile_unbound_script(
                scope,
                &mut source,
                CompileOptions::NoCompileOptions,
                NoCacheReason::NoReason,
            )
        }
    }
}

fn evaluate<'s>(
    scope: &mut Scope<'s, '_>,
    script: v8::Local<'s, v8::UnboundScript>,
) -> Option<v8::Local<'s, v8::Value>> {
    script.bind_to_current_context(scope).run(scope)
}

fn get<'s>(
    scope: &mut Scope<'s, '_>,
    object: v8::Local<'s, v8::Object>,
    name: &str,
) -> Option<v8::Local<'s, v8::Object>> {
    let name = v8::String::new(scope, name)?;
    object.get(scope, name.into())?.try_into().ok()
}

fn call<'s>(
    scope: &mut Scope<'s, '_>,
    object: v8::Local<'s, v8::Object>,
    name: &str,
    arguments: &[v8::Local<'s, v8::Value>],
) -> Option<v8::Local<'s, v8::Value>> {
    let name = v8::String::new(scope, name)?;
    let function: v8::Local<v8::Function> =
        object.get(scope, name.into())?.try_into().ok()?;
    function.call(scope, object.into(), arguments)
}

/// What the exception says that is there.
fn describe<'s, 'o, 'i>(
    scope: &mut v8::PinnedRef<'_, v8::TryCatch<'s, 'o, v8::HandleScope<'i>>>,
) -> String {
    if let Some(stack) = scope.stack_trace() {
        return stack.to_rust_string_lossy(scope);
    }
    match scope.exception() {
        Some(exception) => exception.to_rust_string_lossy(scope),
        None => "it was stopped".to_owned(),
    }
}
