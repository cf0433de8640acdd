# about = "WebAssembly in JavaScript has no ten thousand memories, where there is JavaScript."
# expect = "error:ModuleNotFoundError"
# backends = ["wasm"]
import js

memories = [js.eval("new WebAssembly.Memory({initial: 65536})") for _ in range(10**4)]
