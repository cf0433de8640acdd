//! Python in an isolate: loaded from a snapshot, or from nothing to make one.

use std::fs::File;
use std::ptr::NonNull;

use deno_core::v8::script_compiler::{
    self, CachedData, CompileOptions, NoCacheReason, Source as ScriptSource,
};
use deno_core::{JsRuntime, v8};
use pcm_fences::{Fence, holds};
use rustix::mm::{MapFlags, ProtFlags, mmap};

use crate::assets;
use crate::error::DenoError;
use crate::isolate;
use crate::mapping::Mapping;
use crate::memory::Memory;
use crate::ops::Log;

type Scope<'s, 'i> = v8::PinScope<'s, 'i>;

/// What every interpreter is made of.
pub(crate) struct Parts<'a> {
    /// Pyodide's own JavaScript, wrapped.
    pub(crate) script: &'static [u8],
    /// What V8 made of it the last time.
    pub(crate) code_cache: Option<&'a [u8]>,
    /// The interpreter, with the bound on its memory in it.
    pub(crate) module: Module<'a>,
    pub(crate) stdlib: Stdlib<'a>,
    /// What it begins with; None to start Python.
    pub(crate) snapshot: Option<&'a Snapshot>,
}

/// WebAssembly, compiled before or not.
pub(crate) enum Module<'a> {
    Bytes(&'a [u8]),
    Compiled(&'a v8::CompiledWasmModule),
}

/// The standard library as one file.
pub(crate) enum Stdlib<'a> {
    Bytes(&'a [u8]),
    File(&'a File),
}

/// A Python that was started, with all that it had imported.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// The memory, byte for byte.
    pub(crate) memory: File,
    pub(crate) bytes: usize,
    /// What JavaScript has to know of it.
    pub(crate) state: String,
}

/// Python in an isolate of its own, on this thread.
pub(crate) struct Interpreter {
    loader: v8::Global<v8::Object>,
    script: v8::Global<v8::UnboundScript>,
    module: v8::CompiledWasmModule,
    run: Option<v8::Global<v8::Function>>,
    memory: Option<Memory>,
    runtime: JsRuntime,
}

impl Interpreter {
    /// Makes an isolate with Pyodide in it. With a snapshot it is ready to run; without one Python
    /// is started, and has nothing of the guest.
    pub(crate) fn load(parts: &Parts<'_>) -> Result<Self, DenoError> {
        let mut runtime = isolate::make();
        let (loader, script, module) = entered(&mut runtime, |scope| load(scope, parts))?;
        let mut interpreter = Self { loader, script, module, run: None, memory: None, runtime };
        interpreter.start(parts)?;
        match parts.snapshot {
            Some(snapshot) => interpreter.resume(snapshot)?,
            None => interpreter.call("finish", |_| Some(Vec::new()), |_, _| Some(()))?,
        }
        Ok(interpreter)
    }

    fn start(&mut self, parts: &Parts<'_>) -> Result<(), DenoError> {
        let stdlib = match parts.stdlib {
            Stdlib::Bytes(bytes) => v8::ArrayBuffer::new_backing_store_from_vec(bytes.to_vec()),
            Stdlib::File(file) => {
                Mapping::of(file).map_err(DenoError::Memory)?.into_backing_store()
            }
        };
        let bytes = parts.snapshot.map_or(0, |snapshot| snapshot.bytes);
        let (loader, module) = (&self.loader, &self.module);
        let promise = entered(&mut self.runtime, |scope| {
            let loader = v8::Local::new(scope, loader);
            let stdlib = array(scope, stdlib)?;
            let module = v8::WasmModuleObject::from_compiled_module(scope, module)?.into();
            let bytes = v8::Number::new(scope, bytes as f64).into();
            let promise = call(scope, loader, "start", &[module, stdlib, bytes])?;
            let promise = v8::Local::<v8::Promise>::try_from(promise).ok()?;
            Some(v8::Global::new(scope, promise))
        })?;
        entered(&mut self.runtime, |scope| {
            scope.perform_microtask_checkpoint();
            let promise = v8::Local::new(scope, &promise);
            match promise.state() {
                v8::PromiseState::Fulfilled => Some(()),
                v8::PromiseState::Pending => None,
                v8::PromiseState::Rejected => {
                    let reason = promise.result(scope);
                    scope.throw_exception(reason);
                    None
                }
            }
        })
    }

    /// Puts the memory of the snapshot in place and connects Python to the ops.
    fn resume(&mut self, snapshot: &Snapshot) -> Result<(), DenoError> {
        let memory = self.memory()?;
        if memory.bytes() < snapshot.bytes {
            return Err(DenoError::Start("its memory is too small".to_owned()));
        }
        let flags = MapFlags::PRIVATE | MapFlags::FIXED;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the range is memory of this isolate, which stands still, has this length, begins
        // at a page as wasm memory does, and holds nothing that is still needed. A private mapping of
        // a file behaves as the memory that was there. V8 unmaps it with the rest.
        let mapped = unsafe {
            mmap(memory.start().as_ptr().cast(), snapshot.bytes, access, flags, &snapshot.memory, 0)
        };
        mapped.map_err(|error| DenoError::Memory(error.into()))?;
        let state = &snapshot.state;
        self.call("resume", |scope| Some(vec![text(scope, state)?]), |_, _| Some(()))?;
        let run = self.call(
            "runner",
            |_| Some(Vec::new()),
            |scope, value| {
                let run = v8::Local::<v8::Function>::try_from(value).ok()?;
                Some(v8::Global::new(scope, run))
            },
        )?;
        self.run = Some(run);
        self.memory = Some(memory);
        Ok(())
    }

    /// Makes Python do the one run that the ops know of.
    pub(crate) fn run(&mut self) -> Result<(), String> {
        let Some(run) = &self.run else { return Err("it is not ready".to_owned()) };
        let ran = entered(&mut self.runtime, |scope| {
            let run = v8::Local::new(scope, run);
            let nothing = v8::undefined(scope).into();
            run.call(scope, nothing, &[]).map(|_| ())
        });
        match ran {
            Ok(()) => Ok(()),
            Err(DenoError::Start(message)) => Err(message),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Does what V8 and promises left to be done when nothing runs.
    pub(crate) fn settle(&mut self) {
        self.runtime.v8_isolate().perform_microtask_checkpoint();
        let waker = std::task::Waker::noop();
        let mut context = std::task::Context::from_waker(waker);
        // Tasks of V8, as of its garbage collector. Nothing of ours is ever in the loop, and an
        // error of the guest's promises is the guest's.
        let _ =
            self.runtime.poll_event_loop(&mut context, deno_core::PollEventLoopOptions::default());
    }

    /// Makes ready the session that a snapshot will hold.
    pub(crate) fn prepare(&mut self) -> Result<(), DenoError> {
        self.call("prepare", |_| Some(Vec::new()), |_, _| Some(()))
    }

    /// Makes Python forget that it ever ran.
    pub(crate) fn forget(&mut self) -> Result<(), DenoError> {
        self.call("forget", |_| Some(Vec::new()), |_, _| Some(()))
    }

    /// Executes Python source, for its effects.
    pub(crate) fn execute(&mut self, source: &str) -> Result<(), DenoError> {
        self.call("execute", |scope| Some(vec![text(scope, source)?]), |_, _| Some(()))
    }

    /// Puts a file where Python can read it.
    pub(crate) fn put(&mut self, path: &str, content: Vec<u8>) -> Result<(), DenoError> {
        let content = v8::ArrayBuffer::new_backing_store_from_vec(content);
        let arguments = |scope: &mut Scope<'_, '_>| {
            let content = array(scope, content)?;
            Some(vec![text(scope, path)?, v8::Global::new(scope, content)])
        };
        self.call("put", arguments, |_, _| Some(()))
    }

    /// Reads a file that Python wrote.
    pub(crate) fn get(&mut self, path: &str) -> Result<Vec<u8>, DenoError> {
        self.call(
            "get",
            |scope| Some(vec![text(scope, path)?]),
            |_, value| {
                let view = v8::Local::<v8::Uint8Array>::try_from(value).ok()?;
                let mut content = vec![0; view.byte_length()];
                view.copy_contents(&mut content);
                Some(content)
            },
        )
    }

    /// What belongs to the memory as it is now.
    pub(crate) fn state(&mut self) -> Result<String, DenoError> {
        let read = |scope: &mut Scope<'_, '_>, value: v8::Local<'_, v8::Value>| {
            Some(value.to_rust_string_lossy(scope))
        };
        self.call("snapshot", |_| Some(Vec::new()), read)
    }

    /// The memory.
    pub(crate) fn memory(&mut self) -> Result<Memory, DenoError> {
        let [handling, clock] = ["handling", "clock"].map(|name| {
            self.call(name, |_| Some(Vec::new()), |scope, value| value.uint32_value(scope))
        });
        let (handling, clock) = (handling?, clock?);
        self.call(
            "memory",
            |_| Some(Vec::new()),
            |scope, value| {
                let view = v8::Local::<v8::Uint8Array>::try_from(value).ok()?;
                let store = view.buffer(scope)?.get_backing_store();
                let start = store.data()?.cast::<u8>();
                Some(Memory::new(store, start, handling, clock))
            },
        )
    }

    /// The memory of an interpreter that is ready.
    pub(crate) fn ready_memory(&self) -> Option<&Memory> {
        self.memory.as_ref()
    }

    /// The compiled module, for further interpreters.
    pub(crate) fn compiled(&mut self) -> Result<v8::CompiledWasmModule, DenoError> {
        let module = &self.module;
        entered(&mut self.runtime, |scope| {
            let module = v8::WasmModuleObject::from_compiled_module(scope, module)?;
            Some(module.get_compiled_module())
        })
    }

    /// What V8 made of the script so far.
    pub(crate) fn code_cache(&mut self) -> Result<Vec<u8>, DenoError> {
        let script = &self.script;
        entered(&mut self.runtime, |scope| {
            let script = v8::Local::new(scope, script);
            script.create_code_cache().map(|data| data.to_vec())
        })
    }

    /// The last line that Emscripten said.
    #[cfg(test)]
    pub(crate) fn log(&mut self) -> String {
        self.runtime.op_state().borrow().borrow::<Log>().0.clone()
    }

    pub(crate) fn runtime(&mut self) -> &mut JsRuntime {
        &mut self.runtime
    }

    /// Calls a function of the loader.
    fn call<T>(
        &mut self,
        name: &str,
        arguments: impl FnOnce(&mut Scope<'_, '_>) -> Option<Vec<v8::Global<v8::Value>>>,
        read: impl FnOnce(&mut Scope<'_, '_>, v8::Local<'_, v8::Value>) -> Option<T>,
    ) -> Result<T, DenoError> {
        let loader = &self.loader;
        let done = entered(&mut self.runtime, |scope| {
            let loader = v8::Local::new(scope, loader);
            let arguments = arguments(scope)?;
            let arguments: Vec<_> =
                arguments.iter().map(|argument| v8::Local::new(scope, argument)).collect();
            let value = call(scope, loader, name, &arguments)?;
            read(scope, value)
        });
        done.map_err(|error| match (error, self.runtime.op_state().borrow().try_borrow::<Log>()) {
            (DenoError::Start(message), Some(Log(said))) if !said.is_empty() => {
                DenoError::Start(format!("{message} ({said})"))
            }
            (error, _) => error,
        })
    }
}

/// Does something in the isolate, and tells what it threw.
fn entered<T>(
    runtime: &mut JsRuntime,
    work: impl FnOnce(&mut Scope<'_, '_>) -> Option<T>,
) -> Result<T, DenoError> {
    deno_core::scope!(scope, runtime);
    v8::tc_scope!(let scope, scope);
    if let Some(done) = work(scope) {
        return Ok(done);
    }
    let message = match (scope.has_terminated(), scope.exception()) {
        (true, _) | (_, None) => "it was stopped".to_owned(),
        (_, Some(exception)) => exception.to_rust_string_lossy(scope),
    };
    Err(DenoError::Start(message))
}

type Loaded = (v8::Global<v8::Object>, v8::Global<v8::UnboundScript>, v8::CompiledWasmModule);

fn load(scope: &mut Scope<'_, '_>, parts: &Parts<'_>) -> Option<Loaded> {
    let context = scope.get_current_context();
    context.set_allow_generation_from_strings(!holds(Fence::Codegen));
    let global = context.global(scope);
    let ops = {
        let deno = get(scope, global, "Deno")?;
        let core = get(scope, deno, "core")?;
        get(scope, core, "ops")?
    };
    let loader = script(scope, assets::LOADER.as_bytes(), c"loader.js".to_bytes(), None)?;
    let make = v8::Local::<v8::Function>::try_from(evaluate(scope, loader)?).ok()?;
    let source = script(scope, parts.script, c"pyodide.js".to_bytes(), parts.code_cache)?;
    let pyodide = evaluate(scope, source)?;
    let nothing = v8::undefined(scope).into();
    let loader = make.call(scope, nothing, &[ops.into(), pyodide])?;
    let loader = v8::Local::<v8::Object>::try_from(loader).ok()?;
    // The loader has what it needs of them; nobody else gets any.
    for name in ["Deno", "__bootstrap", "queueMicrotask", "WebAssembly", "SharedArrayBuffer"] {
        let name = v8::String::new(scope, name)?;
        global.delete(scope, name.into())?;
    }
    let module = match parts.module {
        Module::Bytes(bytes) => v8::WasmModuleObject::compile(scope, bytes)?,
        Module::Compiled(module) => v8::WasmModuleObject::from_compiled_module(scope, module)?,
    };
    let module = module.get_compiled_module();
    Some((v8::Global::new(scope, loader), v8::Global::new(scope, source), module))
}

/// Compiles a script of Latin letters, which V8 reads where it lies.
fn script<'s>(
    scope: &mut Scope<'s, '_>,
    source: &'static [u8],
    name: &'static [u8],
    cache: Option<&[u8]>,
) -> Option<v8::Local<'s, v8::UnboundScript>> {
    let source = v8::String::new_external_onebyte_static(scope, source)?;
    let name = v8::String::new_external_onebyte_static(scope, name)?.into();
    let origin =
        v8::ScriptOrigin::new(scope, name, 0, 0, false, 0, None, false, false, false, None);
    let (mut source, options) = match cache {
        Some(cache) => (
            ScriptSource::new_with_cached_data(source, Some(&origin), CachedData::new(cache)),
            CompileOptions::ConsumeCodeCache, // and compiles what it does not accept
        ),
        None => (ScriptSource::new(source, Some(&origin)), CompileOptions::NoCompileOptions),
    };
    let reason = NoCacheReason::NoReason;
    script_compiler::compile_unbound_script(scope, &mut source, options, reason)
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
    let function = v8::Local::<v8::Function>::try_from(object.get(scope, name.into())?).ok()?;
    function.call(scope, object.into(), arguments)
}

fn text(scope: &mut Scope<'_, '_>, text: &str) -> Option<v8::Global<v8::Value>> {
    let text = v8::String::new(scope, text)?;
    Some(v8::Global::new(scope, v8::Local::<v8::Value>::from(text)))
}

/// All of it as a `Uint8Array`.
fn array<'s>(
    scope: &mut Scope<'s, '_>,
    store: v8::UniqueRef<v8::BackingStore>,
) -> Option<v8::Local<'s, v8::Value>> {
    let buffer = v8::ArrayBuffer::with_backing_store(scope, &store.make_shared());
    let length = buffer.byte_length();
    v8::Uint8Array::new(scope, buffer, 0, length).map(Into::into)
}

/// The address that V8 gives to memory.
pub(crate) type Start = NonNull<u8>;
