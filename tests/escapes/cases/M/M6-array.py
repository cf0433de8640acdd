# about = "JavaScript has no array of a thousand million items, where there is JavaScript."
# expect = "error:ModuleNotFoundError"
# backends = ["wasm"]
import js

js.Array(10**9).fill(0)
