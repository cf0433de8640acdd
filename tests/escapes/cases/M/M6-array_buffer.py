# about = "JavaScript has no buffer of eight gigabytes, where there is JavaScript."
# expect = "error:ModuleNotFoundError"
# backends = ["wasm"]
import js

js.eval("new ArrayBuffer(8e9)")
